"""Statements: what usage comes to, previewed, finalised for good, and voided.

A finalised statement is a fact that holds all that it says. Nothing that is recorded
later changes it: neither events, nor cancellations, nor prices.
"""

from collections.abc import Sequence

from ledger.appending.writing import Writing
from ledger.facts.credits import CreditsReinstated
from ledger.facts.statements import (
    BilledLine,
    StatementContent,
    StatementFinalized,
    StatementVoided,
)
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.errors import InvalidRequestError, StatementConflictError
from metering.statements.drawing import Drawing, drawing_of
from metering.statements.drift import StatementDrift, drift_of
from metering.statements.lines import billed, counted_units
from metering.statements.plans import StatementPlan, plan_by_prices
from metering.statements.requests import (
    StatementFinalize,
    StatementList,
    StatementPreview,
    StatementStatusName,
)
from metering.statements.resources import Statement
from metering.statements.shown import previewed, statement_resource
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.statements import (
    StatementRecord,
    digest_of,
    doubly_stated,
)
from projections.prices.queries import PriceQueries
from projections.statements.queries import StatementFilter, StatementQueries


class Statements:
    """The statements of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def preview(
        self,
        *,
        customer: str,
        prices: Sequence[str],
        start_time: Time,
        end_time: Time,
        at: Time | None = None,
    ) -> Statement:
        """Make a statement of usage in ``[start_time, end_time)``, and record nothing.

        Each price has a line: the aggregate of its meter in the period, rated as
        `Metering.rate` does, and with the tiers that it reaches. Below stand the credits
        that would be drawn now, grant by grant, as `CreditApplications.preview` says.

        Args:
            customer: any; one without usage has quantities of 0.
            prices: ids of metered prices of one currency, a line each, in this order.
            start_time: inclusive; any microsecond.
            end_time: exclusive, after `start_time`.
            at: the instant that the statement is made for, not in the future. Usage
                counts that lies before it. Needed where the period has not ended.

        Raises:
            ResourceMissingError: there is no such price.
            InvalidRequestError: an argument is malformed, prices are of several
                currencies or not metered, the period has not ended and `at` is not
                given, or an amount has more than 18 digits.
        """
        asked = checked(
            StatementPreview,
            customer=customer,
            prices=prices,
            start_time=start_time,
            end_time=end_time,
            at=at,
        )
        plan = self._plan(asked)
        position, lines = self._billed(plan)
        with self._engine.credits() as (seen, now):
            drawing = drawing_of(seen, plan, lines, now)
        content = _content(plan, position, lines, drawing)
        return previewed(
            content, digest_of(content), livemode=self._engine.settings.livemode
        )

    def finalize(  # the parts of a statement have names
        self,
        *,
        id: str,  # noqa: A002  # what all resources call it
        customer: str,
        prices: Sequence[str],
        start_time: Time,
        end_time: Time,
        at: Time | None = None,
    ) -> Statement:
        """Make a statement for good, and draw the customer's credits for it.

        The statement and its credits are recorded in one commit. Doing it again under
        the same id answers the same, whatever was recorded since.

        Args:
            id: of the statement, of your own. Credits are drawn under it as under the
                id of an invoice.
            customer: as for `preview`.
            prices: as for `preview`.
            start_time: as for `preview`.
            end_time: as for `preview`.
            at: as for `preview`.

        Raises:
            StatementConflictError: the id belongs to a statement of something else.
            ResourceMissingError: there is no such price.
            InvalidRequestError: as for `preview`; or another statement that stands
                counts some of the usage, the statement of the id is void, or credits
                were applied to an invoice of that id.
        """
        asked = checked(
            StatementFinalize,
            id=id,
            customer=customer,
            prices=prices,
            start_time=start_time,
            end_time=end_time,
            at=at,
        )
        plan = self._plan(asked)
        with self._engine.log.read() as connection:
            known = StatementQueries(connection).statement(asked.id)
        if known is None:
            position, lines = self._billed(plan)
            with self._engine.writing() as writing:
                known = StatementQueries(writing.connection).statement(asked.id)
                if known is None:
                    _record(writing, asked.id, plan, position, lines)
        if known is not None:
            _check_repeats(known, plan)
        return self.retrieve(asked.id)

    def retrieve(self, statement_id: str) -> Statement:
        """Return a finalised statement by its id, as it was made.

        Raises:
            ResourceMissingError: there is no such statement.
        """
        with self._engine.log.read() as connection:
            found = statement_of(StatementQueries(connection), statement_id)
        return statement_resource(found, livemode=self._engine.settings.livemode)

    def list(  # noqa: PLR0913  # filters have names
        self,
        customer: str | None = None,
        *,
        start_time: Time | None = None,
        end_time: Time | None = None,
        status: StatementStatusName | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Statement]:
        """Return finalised statements, and those that became void, newest first.

        Args:
            customer: of whom; None is everyone.
            start_time: only those whose period begins then or later.
            end_time: only those whose period ends then or earlier.
            status: finalized or void; None is both.
            limit: 1 to 100.
            starting_after: id of the statement before the first one to list.
            ending_before: id of the statement behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no statement.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                StatementList,
                customer=customer,
                start_time=start_time,
                end_time=end_time,
                status=status,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def void(self, statement_id: str) -> Statement:
        """Declare a statement void: its period can be stated anew, under another id.

        The credits that it drew go back to their grants, as
        `CreditApplications.reinstate` says. Doing it again answers the same.

        Raises:
            ResourceMissingError: there is no such statement.
        """
        with self._engine.writing() as writing:
            seen = StatementQueries(writing.connection)
            known = statement_of(seen, statement_id)
            if known.voided_at is None:
                drew = CreditQueries(writing.connection).application(statement_id)
                gives_back = drew is not None and drew.reinstated_at is None
                writing.record(
                    [
                        *(
                            [CreditsReinstated(invoice=statement_id)]
                            if gives_back
                            else []
                        ),
                        StatementVoided(statement_id=statement_id),
                    ]
                )
        return self.retrieve(statement_id)

    def drift(self, statement_id: str) -> StatementDrift:
        """Compare a statement with what it would be today, line by line.

        The causes are the entries that came after it: events whose timestamp lies in
        the period, and cancellations of events that had counted. An event that came
        later and was cancelled since is none. What is cut into hours or days by a
        pre-aggregated meter can have a cause beside the period, in a window that its
        bounds cut.

        Raises:
            ResourceMissingError: there is no such statement.
        """
        with self._engine.log.read() as connection:
            found = statement_of(StatementQueries(connection), statement_id)
        made = statement_resource(found, livemode=self._engine.settings.livemode)
        return drift_of(self._engine, found.content, made)

    def _plan(self, asked: StatementPreview) -> StatementPlan:
        with self._engine.log.read() as connection:
            now = CreditQueries(connection).present(self._engine.now())
            return plan_by_prices(asked, PriceQueries(connection), now)

    def _billed(self, plan: StatementPlan) -> tuple[int, tuple[BilledLine, ...]]:
        """Return the lines of a plan, and the position up to which usage counts."""
        self._engine.log.catch_up()
        view = self._engine.usage.view()
        units = counted_units(self._engine, plan.customer, plan.lines, plan.at, view)
        return view.position, billed(plan.lines, units, plan.currency)

    def _page(self, asked: StatementList) -> ListObject[Statement]:
        wanted = StatementFilter(
            customer=asked.customer,
            start=_instant_or_none(asked.start_time, "start_time"),
            end=_instant_or_none(asked.end_time, "end_time"),
            is_void=None if asked.status is None else asked.status == "void",
        )
        with self._engine.log.read() as connection:
            seen = StatementQueries(connection)
            page = page_of(
                asked, lambda each, at: statement_of(seen, each, at).position
            )
            found = seen.statements(wanted, page)
        livemode = self._engine.settings.livemode
        made = [statement_resource(each, livemode=livemode) for each in found]
        return listed(asked, made, self._page, lambda each: each.id or "")


def statement_of(
    seen: StatementQueries, statement_id: object, param: str = "id"
) -> StatementRecord:
    """Return a statement by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.statement, statement_id, "statement", param)


def _record(
    writing: Writing,
    statement_id: str,
    plan: StatementPlan,
    position: int,
    lines: tuple[BilledLine, ...],
) -> None:
    """Record a statement and the credits that it draws.

    Raises:
        InvalidRequestError: another statement counts some of its usage, or credits were
            applied under its id.
    """
    drawn_from = CreditQueries(writing.connection)
    if drawn_from.application(statement_id) is not None:
        raise InvalidRequestError(
            f"Credits were applied to an invoice {statement_id}; finalize the statement"
            " under another id",
            code="invoice_conflict",
            param="id",
        )
    drawing = drawing_of(drawn_from, plan, lines, writing.now)
    content = _content(plan, position, lines, drawing)
    seen = StatementQueries(writing.connection)
    others = seen.standing_of(plan.customer, plan.period_start, plan.period_end)
    if found := doubly_stated(content, others):
        other, line = found
        raise InvalidRequestError(
            f"Statement {other.statement_id} counts usage of price {line.price_id} in"
            " this period already; void it, or state another period",
            code="period_already_finalized",
            param="start_time",
        )
    finalized = StatementFinalized(
        statement_id=statement_id, content=content, digest=digest_of(content)
    )
    writing.record([*drawing.facts(statement_id, plan), finalized])


def _check_repeats(known: StatementRecord, plan: StatementPlan) -> None:
    """Check that what is to be finalised is the statement that has its id.

    Raises:
        StatementConflictError: it is not.
        InvalidRequestError: that statement is void.
    """
    if differing := plan.differing(known):
        raise StatementConflictError(known.statement_id, differing)
    if known.voided_at is not None:
        raise InvalidRequestError(
            f"Statement {known.statement_id} is void; finalize another one in its place",
            code="statement_void",
            param="id",
        )


def _content(
    plan: StatementPlan, position: int, lines: tuple[BilledLine, ...], drawing: Drawing
) -> StatementContent:
    return StatementContent(
        customer=plan.customer,
        subscription_id=plan.subscription_id,
        currency=plan.currency,
        period_start=plan.period_start,
        period_end=plan.period_end,
        at=plan.at,
        position=position,
        lines=lines,
        credits=drawing.credits,
    )


def _instant_or_none(time: Time | None, param: str) -> int | None:
    return None if time is None else instant(time, param)
