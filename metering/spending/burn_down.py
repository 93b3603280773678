"""Burn-down: what the unbilled usage of a customer will draw of its credits.

The statements that are to come draw one after the other, as a billing run would let them:
their lines are counted, rated and drawn by the code that makes statements. So the sum is
what their previews say, current to the last event.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from ledger.facts.credits.grants import InvoiceLine
from metering.statements.lines import counted_units, rated_amounts
from metering.statements.plans import PlannedLine, StatementPlan
from metering.statements.unbilled import UnbilledPlans, UnbilledQueries
from metering.store.engine import Engine
from metering.usage.arrivals import NEWEST
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import after_draws, burn_down
from projections.kernels.credits.grants import Grant, drawn
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries
from projections.statements.queries import StatementQueries
from projections.subscriptions.queries import SubscriptionQueries

_CUSTOMERS_KEPT = 10_000


def is_own(grant: Grant) -> bool:
    """Whether a grant is a customer's own, and not a pool's."""
    return grant.pool is None


class Present(NamedTuple):
    """The credits as they are.

    Attributes:
        seen: in a database transaction.
        now: the present instant.
        terms_position: up to which `seen` has at least what changes unbilled periods.
        definitions: the meters, but for those that were just created.
    """

    seen: CreditQueries
    now: int
    terms_position: int
    definitions: Definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedUsage:
    """Usage that is not recorded.

    Attributes:
        meter_id: what measures it.
        units: of 10**-12.
        timestamp: when it happens, microseconds since 1970 UTC.
    """

    meter_id: str
    units: int
    timestamp: int

    def is_of(self, line: PlannedLine) -> bool:
        """Whether a line counts it."""
        is_metered = line.price.meter_id == self.meter_id
        return is_metered and line.start <= self.timestamp < line.end


class RatedLine(NamedTuple):
    """What a line of a statement that is to come is rated at."""

    price_id: str
    amount: int


class UnbilledStatement(NamedTuple):
    """A statement that is to come, with what its metered lines come to."""

    currency: str
    period_end: int
    lines: tuple[RatedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burned:
    """What statements draw that are to come.

    Attributes:
        grants: of the customer, with what is left of them then.
        drawn: of each grant, by position.
        uncovered: what no credits cover, by currency; every one of a statement.
    """

    grants: Sequence[Grant]
    drawn: Mapping[int, int]
    uncovered: Mapping[str, int]

    @classmethod
    def of(
        cls, grants: Sequence[Grant], statements: Sequence[UnbilledStatement], now: int
    ) -> "Burned":
        """Let statements draw, one after the other.

        Args:
            grants: of the customer, with what holds keep.
            statements: in their order.
            now: the present instant.
        """
        left = list(grants)
        sums, uncovered = Counter[int](), Counter[str]()
        for each in statements:
            draws = burn_down(
                left,
                each.currency,
                [InvoiceLine("", line.amount, line.price_id) for line in each.lines],
                period_end=each.period_end,
                now=now,
            )
            left = after_draws(left, draws)
            sums.update(drawn(draws))
            due = sum(line.amount for line in each.lines)
            uncovered[each.currency] += due - sum(draw.amount for draw in draws)
        return cls(grants=tuple(left), drawn=sums, uncovered=uncovered)

    def drawn_of(self, has: Callable[[Grant], bool] = is_own) -> Mapping[str, int]:
        """Return what is drawn of some grants, or of the customer's own, by currency."""
        sums = Counter[str]()
        for grant in self.grants:
            if has(grant):
                sums[grant.currency] += self.drawn.get(grant.position, 0)
        return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbilled:
    """The unbilled usage of a customer.

    Attributes:
        statements: that are to come, in the order in which they draw.
        with_added: the same, had usage been added.
        added_to: the indices of the statements and lines that count what was added.
        position: everything up to it is counted.
    """

    statements: Sequence[UnbilledStatement]
    with_added: Sequence[UnbilledStatement]
    added_to: Sequence[tuple[int, int]]
    position: int


class BurnDown:
    """The unbilled usage of customers. Thread-safe.

    Which periods of a customer are unbilled is kept while nothing changes it: neither a
    fact about prices, subscriptions and statements, nor the end of a period.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._plans: dict[str, tuple[int, UnbilledPlans]] = {}

    @contextmanager
    def present(
        self, whose: Callable[[CreditQueries], Collection[str]]
    ) -> Iterator[Present]:
        """Read credits and unbilled usage of some customers as they are."""
        log = self._engine.log
        definitions = self._engine.definitions(log.catch_up())
        # Before the snapshot, which so has what it says, and perhaps more.
        terms_position = log.terms_position
        with self._engine.credits(whose) as (seen, now):
            yield Present(seen, now, terms_position, definitions)

    def unbilled(
        self, present: Present, customer: str, added: AddedUsage | None = None
    ) -> Unbilled:
        """Return the unbilled usage of a customer, rated.

        Args:
            present: when.
            customer: any.
            added: what is to be rated with it.

        Raises:
            InvalidRequestError: a quantity or an amount has too many digits.
        """
        engine = self._engine
        plans = self._plans_of(present, customer)
        view = engine.usage.view()
        definitions = present.definitions
        all_lines = [line for plan in plans for line in plan.lines]
        if any(line.price.meter_id not in definitions.by_id for line in all_lines):
            definitions = engine.catalog.read(present.seen.connection)
        units = counted_units(engine, definitions, customer, all_lines, None, view)
        plans, units = _begun_or_used(plans, units, added, present.now)
        # Nobody named a subscription: what is rated is the usage of the customer.
        lines = [
            replace(line, param="customer") for plan in plans for line in plan.lines
        ]
        chosen = []
        if added is not None:
            chosen = [at for at, line in enumerate(lines) if added.is_of(line)]
            more = added.units
            units += [units[at] + more for at in chosen]
        with_it = [replace(lines[at], param="quantity") for at in chosen]
        amounts = rated_amounts([*lines, *with_it], units)
        before, with_added = amounts[: len(lines)], amounts[: len(lines)]
        for at, amount in zip(chosen, amounts[len(lines) :], strict=True):
            with_added[at] = amount
        places = [
            (number, at)
            for number, plan in enumerate(plans)
            for at in range(len(plan.lines))
        ]
        statements = _statements(plans, before)
        return Unbilled(
            statements=statements,
            with_added=_statements(plans, with_added) if chosen else statements,
            added_to=[places[at] for at in chosen],
            position=view.position,
        )

    def burned(self, present: Present, customer: str) -> Burned:
        """Return what the unbilled usage of a customer draws."""
        grants = present.seen.spendable_of(customer, present.now)
        unbilled = self.unbilled(present, customer)
        return Burned.of(grants, unbilled.statements, present.now)

    def _plans_of(self, present: Present, customer: str) -> Sequence[StatementPlan]:
        """Return the periods that are unbilled, with those that events may lie in already.

        An event may be a little ahead, in a period that is about to begin.
        """
        kept = self._plans
        terms_position, found = kept.get(customer, (-1, None))
        is_current = terms_position == present.terms_position
        latest = present.now + NEWEST
        if found is None or not is_current or latest >= found.until:
            found = self._unbilled_queries(present).plans_of(customer, latest)
            if len(kept) >= _CUSTOMERS_KEPT:
                kept.clear()
            kept[customer] = present.terms_position, found
        return found.plans

    def _unbilled_queries(self, present: Present) -> UnbilledQueries:
        connection = present.seen.connection
        return UnbilledQueries(
            SubscriptionQueries(connection),
            PriceQueries(connection),
            StatementQueries(connection),
        )


def _begun_or_used(
    plans: Sequence[StatementPlan],
    units: Sequence[int],
    added: AddedUsage | None,
    now: int,
) -> tuple[Sequence[StatementPlan], list[int]]:
    """Return plans without those of periods that neither began nor have usage."""
    if all(plan.period_start <= now for plan in plans):
        return plans, [*units]
    each = iter(units)
    found = [(plan, [next(each) for _ in plan.lines]) for plan in plans]
    kept = [
        (plan, its)
        for plan, its in found
        if plan.period_start <= now
        or any(its)
        or (added is not None and any(map(added.is_of, plan.lines)))
    ]
    return [plan for plan, _ in kept], [one for _, its in kept for one in its]


def _statements(
    plans: Sequence[StatementPlan], amounts: Sequence[int]
) -> list[UnbilledStatement]:
    """Return plans with what their lines come to, one after the other."""
    each = iter(amounts)
    return [
        UnbilledStatement(
            plan.currency,
            plan.period_end,
            tuple(RatedLine(line.price.price_id, next(each)) for line in plan.lines),
        )
        for plan in plans
    ]
