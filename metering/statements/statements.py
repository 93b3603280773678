"""Statements: what usage comes to, previewed, finalised for good, and voided.

A finalised statement is a fact that holds all that it says. Nothing that is recorded
later changes it: neither events, nor cancellations, nor prices.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from ledger.facts.statements import StatementVoided
from ledger.sealing import StepCallback
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.reaggregation.questions import several
from metering.statements.drawing import content_of, drawing_of
from metering.statements.drift import StatementDrift, drift_of
from metering.statements.making import counted, given_back, plan_asked, record_statement
from metering.statements.plans import check_named, check_repeats
from metering.statements.requests import (
    StatementFinalize,
    StatementList,
    StatementPreview,
    StatementRun,
    StatementStatusName,
)
from metering.statements.resources import Statement
from metering.statements.runs.receipts import StatementsReceipt
from metering.statements.shown import previewed, statement_resource
from metering.statements.tables import lines_table
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.statements import StatementRecord, digest_of
from projections.rows import Page
from projections.statements.queries import StatementFilter, StatementQueries


class Statements:
    """The statements of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def preview(
        self,
        *,
        customer: str | None = None,
        prices: Sequence[str] | None = None,
        subscription: str | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        at: Time | None = None,
    ) -> Statement:
        """Make a statement of usage in ``[start_time, end_time)``, and record nothing.

        Each price has a line: the aggregate of its meter in the period, rated as
        `Metering.rate` does, and with the tiers that it reaches. Below stand the credits
        that would be drawn now, grant by grant, as `CreditApplications.preview` says.

        Args:
            customer: any; one without usage has quantities of 0. That of the
                subscription may be left out.
            prices: ids of metered prices of one currency, a line each, in this order.
            subscription: whose items have the lines, in place of `prices`: the newest
                item first, and one line for each price that it had in the period, of
                the usage in that price's time. Prices that are not metered are of the
                item's quantity, once, as it is at the end.
            start_time: inclusive; any microsecond. Of a subscription each item has its
                current period where both times are left out.
            end_time: exclusive, after `start_time`.
            at: the instant that the statement is made for, not in the future. Usage
                counts that lies before it. Needed where a period that is given has not
                ended.

        Raises:
            ResourceMissingError: there is no such price or subscription.
            InvalidRequestError: an argument is malformed, prices are of several
                currencies or not metered, the period has not ended and `at` is not
                given, or an amount has more than 18 digits.
        """
        asked = checked(
            StatementPreview,
            customer=customer,
            prices=prices,
            subscription=subscription,
            start_time=start_time,
            end_time=end_time,
            at=at,
        )
        plan = plan_asked(self._engine, asked, goes_on=True)
        position, lines = counted(self._engine, plan)
        with self._engine.credits([plan.customer]) as (seen, now):
            drawing = drawing_of(seen, plan, lines, now)
        content = content_of(plan, position, lines, drawing)
        return previewed(
            content, digest_of(content), livemode=self._engine.settings.livemode
        )

    def finalize(  # noqa: PLR0913  # the parts of a statement have names
        self,
        *,
        id: str,  # noqa: A002  # what all resources call it
        customer: str | None = None,
        prices: Sequence[str] | None = None,
        subscription: str | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
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
            subscription: as for `preview`.
            start_time: as for `preview`.
            end_time: as for `preview`.
            at: as for `preview`; needed for any period that has not ended.

        Raises:
            StatementConflictError: the id belongs to a statement of something else.
            ResourceMissingError: there is no such price or subscription.
            InvalidRequestError: as for `preview`; or another statement that stands
                counts some of the usage, the statement of the id is void, or credits
                were applied to an invoice of that id.
        """
        asked = checked(
            StatementFinalize,
            id=id,
            customer=customer,
            prices=prices,
            subscription=subscription,
            start_time=start_time,
            end_time=end_time,
            at=at,
        )
        check_named(asked)
        with self._engine.log.read() as connection:
            known = StatementQueries(connection).statement(asked.id)
        if known is None:
            plan = plan_asked(self._engine, asked, goes_on=False)
            position, lines = counted(self._engine, plan)
            customer = plan.customer
            with self._engine.writing_credits(lambda _: [customer]) as (writing, _):
                known = StatementQueries(writing.connection).statement(asked.id)
                if known is None:
                    record_statement(writing, asked.id, plan, position, lines)
        if known is not None:
            check_repeats(known, asked)
        return self.retrieve(asked.id)

    def retrieve(self, statement_id: str) -> Statement:
        """Return a finalised statement by its id, as it was made.

        Raises:
            ResourceMissingError: there is no such statement.
        """
        with self._engine.log.read() as connection:
            seen = StatementQueries(connection)
            found = statement_of(seen, statement_id)
            self._engine.present(seen, found.customer)
        return statement_resource(found, livemode=self._engine.settings.livemode)

    def list(  # noqa: PLR0913  # filters have names
        self,
        customer: str | None = None,
        *,
        subscription: str | None = None,
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
            subscription: of which; None is any, and prices that were named.
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
                subscription=subscription,
                start_time=start_time,
                end_time=end_time,
                status=status,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def to_table(
        self,
        customer: str | None = None,
        *,
        subscription: str | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        status: StatementStatusName | None = None,
    ) -> pa.Table:
        """Return the lines of finalised statements as one table, to be exported.

        Args:
            customer: as for `list`.
            subscription: as for `list`.
            start_time: as for `list`.
            end_time: as for `list`.
            status: as for `list`.

        Returns:
            A row for each line, oldest statement first: ``statement``, ``status``,
            ``customer``, ``subscription``, ``currency``, ``created``, ``position`` and
            ``digest`` of the statement; ``line``, ``price``, ``meter``,
            ``subscription_item``, ``period_start``, ``period_end``, ``quantity``,
            ``amount``, ``credits_applied`` and ``amount_due`` of the line, and its
            ``tiers``.

        Raises:
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(
            StatementList,
            customer=customer,
            subscription=subscription,
            start_time=start_time,
            end_time=end_time,
            status=status,
        )
        with self._engine.log.read() as connection:
            found = StatementQueries(connection).statements(_filter(asked), Page())
        return lines_table(found[::-1])

    def void(self, statement_id: str) -> Statement:
        """Declare a statement void: its period can be stated anew, under another id.

        The credits that it drew go back to their grants, as
        `CreditApplications.reinstate` says. Doing it again answers the same.

        Raises:
            ResourceMissingError: there is no such statement.
        """

        def whose(seen: CreditQueries) -> list[str]:
            statements = StatementQueries(seen.connection)
            return [statement_of(statements, statement_id).customer]

        with self._engine.writing_credits(whose) as (writing, drawn_from):
            seen = StatementQueries(writing.connection)
            known = statement_of(seen, statement_id)
            if known.voided_at is None:
                back = given_back(drawn_from, known)
                voided = StatementVoided(statement_id=statement_id)
                writing.record([*back, voided])
        return self.retrieve(statement_id)

    def run(
        self,
        *,
        period_end: Time,
        customers: Iterable[str] | None = None,
        since: Time | None = None,
        progress: StepCallback | None = None,
    ) -> StatementsReceipt:
        """Finalise a statement of every period of a subscription that has ended.

        The periods of items that end at one instant are stated together. What is stated
        already stays as it is, so that a run that broke off is repeated whole: ids
        follow from the subscription and the end of the period. Usage is summed up once
        for each period that there is, and statements are committed in portions with the
        credits that they draw, those of earlier periods first. One that cannot be made
        does not fail the others.

        Args:
            period_end: the last instant at which periods end, not in the future.
            customers: whose subscriptions; None is everyone's.
            since: the instant behind which they end; None is the beginning.
            progress: is called after each commit with the statements done and how many
                there are.

        Raises:
            InvalidRequestError: an argument is malformed.
        """
        from metering.statements.runs.run import run_statements

        asked = checked(
            StatementRun,
            period_end=period_end,
            customers=None if customers is None else several(customers, "customers"),
            since=since,
        )
        return run_statements(
            self._engine,
            instant(asked.period_end, "period_end"),
            _instant_or_none(asked.since, "since"),
            asked.customers,
            progress,
        )

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

    def _page(self, asked: StatementList) -> ListObject[Statement]:
        with self._engine.log.read() as connection:
            seen = StatementQueries(connection)
            page = page_of(
                asked, lambda each, at: statement_of(seen, each, at).position
            )
            found = seen.statements(_filter(asked), page)
        livemode = self._engine.settings.livemode
        made = [statement_resource(each, livemode=livemode) for each in found]
        return listed(asked, made, self._page, lambda each: each.id or "")


def statement_of(
    seen: StatementQueries, statement_id: object, param: str = "id"
) -> StatementRecord:
    """Return a statement by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.statement, statement_id, "statement", param)


def _filter(asked: StatementList) -> StatementFilter:
    return StatementFilter(
        customer=asked.customer,
        subscription_id=asked.subscription,
        start=_instant_or_none(asked.start_time, "start_time"),
        end=_instant_or_none(asked.end_time, "end_time"),
        is_void=None if asked.status is None else asked.status == "void",
    )


def _instant_or_none(time: Time | None, param: str) -> int | None:
    return None if time is None else instant(time, param)
