"""Previews: a correction is applied to a branch of the store, which is thrown away.

So what is shown is what applying it does, by the same code, and the store hears nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import pyarrow as pa

from ledger.usage.columns import rows_table
from metering.arguments.pages import LIMIT_MAX
from metering.corrections.impact import (
    CHANGED_BALANCES,
    CHANGED_STATEMENTS,
    NEW_TRIGGERS,
    Impact,
)
from metering.corrections.planning import CorrectionPlanning
from metering.reaggregation.differences import differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from metering.alerts.alerts import Alerts
    from metering.arguments.words import UsageWindowName
    from metering.corrections.planning import Replacements
    from metering.corrections.requests import ChangeParams
    from metering.corrections.resources import Correction
    from metering.spending.balances import CreditBalanceSummaries
    from metering.statements.statements import Statements
    from metering.store.engine import Engine

_PREVIEW = "preview"
_FigureKey: TypeAlias = "tuple[str | int, ...]"
_MoneyByFigure: TypeAlias = "Mapping[_FigureKey, int]"


class AppliesCorrections(Protocol):
    """What applies corrections."""

    def apply(
        self,
        changes: Sequence[ChangeParams] | Replacements,
        *,
        reason: str,
        author: str,
    ) -> Correction:
        """Cancel and replace events."""


class RehearsedStore(Protocol):
    """A connection, as far as previews need one."""

    _engine: Engine

    def branch(self, target: str) -> Self:
        """Make another store that begins as this one, and open it."""

    def close(self) -> None:
        """Let go of the store."""

    def catch_up(self) -> int:
        """Evaluate alerts, and return the position reached."""

    def usage(  # the parts of one question
        self,
        meters: Iterable[str] | None = None,
        start_time: None = None,
        end_time: None = None,
        window: UsageWindowName | None = "day",
        timezone: str = "UTC",
        customers: Iterable[str] | None = None,
    ) -> pa.Table:
        """Sum up usage."""

    @property
    def alerts(self) -> Alerts:
        """Thresholds, and what crossed them."""

    @property
    def corrections(self) -> AppliesCorrections:
        """Events that were wrong."""

    @property
    def credit_balance_summary(self) -> CreditBalanceSummaries:
        """What is left of a customer's credits."""

    @property
    def statements(self) -> Statements:
        """What usage comes to in a period."""


def preview(
    store: RehearsedStore,
    changes: Sequence[ChangeParams] | Replacements,
    window: UsageWindowName | None,
    timezone: str,
) -> Impact:
    """Return what a correction would change; see `Corrections.preview`."""
    branch = store.branch(":memory:")
    try:
        return _impact(branch, changes, window, timezone)
    finally:
        branch.close()


def _impact(
    branch: RehearsedStore,
    changes: Sequence[ChangeParams] | Replacements,
    window: UsageWindowName | None,
    timezone: str,
) -> Impact:
    position = branch.catch_up()
    names, customers = _reached(branch._engine, changes)  # noqa: SLF001

    def asked() -> tuple[pa.Table, _MoneyByFigure, _MoneyByFigure]:
        usage = branch.usage(
            meters=names, window=window, timezone=timezone, customers=customers
        )
        statements = dict(_statements(branch, customers))
        return usage, statements, dict(_balances(branch, customers))

    triggered = len(branch.alerts.triggered())
    usage_was, statements_were, balances_were = asked()
    applied = branch.corrections.apply(changes, reason=_PREVIEW, author=_PREVIEW)
    branch.catch_up()
    usage, statements, balances = asked()
    triggers = [
        (
            each.alert.id,
            each.alert.title,
            each.customer,
            str(each.value),
            each.timestamp,
        )
        for each in branch.alerts.triggered()[triggered:]
    ]
    return Impact(
        position=position,
        cancelled=applied.cancelled,
        replaced=applied.replaced,
        usage=differences(usage_was, usage),
        statements=rows_table(
            _changed(statements_were, statements), CHANGED_STATEMENTS
        ),
        alerts=rows_table(triggers, NEW_TRIGGERS),
        balances=rows_table(_changed(balances_were, balances), CHANGED_BALANCES),
    )


def _reached(
    engine: Engine, changes: Sequence[ChangeParams] | Replacements
) -> tuple[list[str], list[str]]:
    """Return the event names and the customers of events, and of replacements."""
    names, customers = set[str](), set[str]()
    with CorrectionPlanning(engine, changes, _PREVIEW) as planning:
        plan = planning.plan()
        for each in (plan.replaced, plan.cancelled, plan.replacements):
            for batch in each.batches():
                names.update(batch.column("event_name").unique().to_pylist())
                customers.update(batch.column("customer").unique().to_pylist())
    return sorted(names), sorted(customers)


def _statements(
    branch: RehearsedStore, customers: Sequence[str]
) -> Iterator[tuple[_FigureKey, int]]:
    """Yield what each line of customers' statements would be today."""
    for customer in customers:
        listed = branch.statements.list(customer, status="finalized", limit=LIMIT_MAX)
        for each in listed.auto_paging_iter():
            assert each.id is not None, "it is finalised"
            for line in branch.statements.drift(each.id).lines:
                key = (each.id, customer, line.line, each.currency, line.amount)
                yield key, line.amount_now


def _balances(
    branch: RehearsedStore, customers: Sequence[str]
) -> Iterator[tuple[_FigureKey, int]]:
    """Yield the credit balances of customers, and what unbilled usage draws of them."""
    for customer in customers:
        summary = branch.credit_balance_summary.retrieve(
            customer=customer, include_unbilled_usage=True
        )
        for each in summary.balances:
            for word, amount in (
                ("available", each.available_balance),
                ("unbilled", each.unbilled_usage),
                ("uncovered", each.uncovered_usage),
            ):
                if amount is not None:
                    money = amount.monetary
                    yield (customer, money.currency, word), money.value


def _changed(before: _MoneyByFigure, after: _MoneyByFigure) -> list[tuple[object, ...]]:
    """Return the keys whose amounts differ, with both."""
    return [
        (*key, was, now)
        for key in dict.fromkeys([*before, *after])
        if (was := before.get(key, 0)) != (now := after.get(key, 0))
    ]
