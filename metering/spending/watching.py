"""Watching what unbilled usage leaves of credits: each fall to a threshold triggers once.

What is left is what `CreditBalanceSummaries.retrieve` says with unbilled usage, at each
evaluation. That it fell is recorded in the database transaction that moves the checkpoint,
where everything recorded before counts; and that it is above again, after which it may
fall again. An evaluator that dies before has recorded nothing; another one that was faster
has recorded what this one finds no more.
"""

from collections.abc import Collection, Iterator, Sequence

from ledger.appending.writing import Writing
from ledger.commits import read_head
from ledger.errors import ClockSkewError
from ledger.facts.alerts import CreditAlertRecovered, CreditAlertTriggered
from ledger.facts.test_clocks import TestClockTime
from metering.errors import InvalidRequestError
from metering.spending.burn_down import BurnDown, Present
from metering.store.engine import Engine
from projections.alerts.burned_down import BurnDownQueries, Touched
from projections.alerts.pending import PendingUsage
from projections.credits.queries import CreditQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.kernels.alerts.book import CreditWatch
from projections.kernels.credits.falls import Occurrence
from projections.test_clocks.clocked import ClockedCustomers

_Noticed = CreditAlertTriggered | CreditAlertRecovered
_CUSTOMERS_AT_ONCE = 100
_NOWHERE = Occurrence(-(2**62), -1)


class BurnDownWatch:
    """Evaluates the alerts on what unbilled usage leaves. For one thread at a time.

    Args:
        engine: of the store.
        burn_down: of the same.
    """

    def __init__(self, engine: Engine, burn_down: BurnDown) -> None:
        self._engine = engine
        self._burn_down = burn_down
        # Up to where nothing happened that is looked at, by the checkpoint as it was.
        self._quiet = _NOWHERE, _NOWHERE

    def evaluate(self, pending: PendingUsage) -> int:
        """Record what triggers now, and return how often something did.

        Args:
            pending: knows by whom usage was recorded.

        Raises:
            StoreError: nothing was recorded; what was found will be found again.
        """
        while (triggered := self._evaluated(pending)) is None:
            self._engine.record_due()
        return triggered

    def is_needed(self, writing: Writing) -> bool:
        """Whether there is such an alert, as a transaction sees it."""
        return BurnDownQueries(CreditQueries(writing.connection)).is_any()

    def is_settled(
        self, writing: Writing, pending: PendingUsage, *, is_first: bool
    ) -> bool:
        """Whether nothing is to be recorded of what was, before a transaction's facts.

        Args:
            writing: the transaction, which has taken in all usage.
            pending: knows by whom usage was recorded.
            is_first: whether to leave many customers to an evaluation, for which nobody
                waits.
        """
        try:
            now = writing.log_now
        except ClockSkewError:
            # Nothing can be recorded, or looked at, by a wrong clock.
            return True
        clocked = self._engine.clocked(writing, writing.head)
        seen = CreditQueries(writing.connection, clocked=clocked)
        queries, place = BurnDownQueries(seen), Occurrence(now, writing.head.position)
        checkpoint = queries.checkpoint()
        after = self._after(checkpoint)
        looked_at = _touched(queries, pending, after, place, clocked)
        if looked_at.is_news:
            customers = looked_at.customers
            is_much = customers is None or len(customers) > _CUSTOMERS_AT_ONCE
            if is_much and is_first:
                return False
            if self._turns(
                self._present(writing, seen, now), queries, customers, place
            ):
                return False
        self._quiet = checkpoint, place
        return True

    def may_recover(self, writing: Writing, before: int) -> bool:
        """Whether what was recorded after a position may have raised what had fallen."""
        clocked = self._engine.clocked(writing, writing.head)
        queries = BurnDownQueries(CreditQueries(writing.connection, clocked=clocked))
        # Time brought about nothing meanwhile: it is one instant.
        now = writing.log_now
        up_to = Occurrence(now, writing.head.position)
        touched = queries.touched(Occurrence(now, before), up_to, clocked)
        if touched.customers is None:
            return True
        return bool(queries.fallen(sorted(touched.customers)))

    def _after(self, checkpoint: Occurrence) -> Occurrence:
        """Return up to where everybody was looked at, as far as this process knows."""
        known, quiet = self._quiet
        return quiet if known == checkpoint else checkpoint

    def _present(self, writing: Writing, seen: CreditQueries, now: int) -> Present:
        definitions = self._engine.catalog.read(writing.connection)
        return Present(seen, now, self._engine.log.terms_position, definitions)

    def _evaluated(self, pending: PendingUsage) -> int | None:
        """Evaluate; None where it must be done again, as more was recorded than is known."""
        engine = self._engine
        # Whatever was recorded up to here counts in all that is read from here on.
        reached = engine.log.catch_up()
        definitions = engine.definitions(reached)
        terms_position = engine.log.terms_position
        with engine.credits() as (seen, now):
            queries = BurnDownQueries(seen)
            checkpoint = queries.checkpoint()
            up_to = Occurrence(now, read_head(seen.connection).position)
            after = self._after(checkpoint)
            looked_at = _touched(queries, pending, after, up_to, seen.clocked)
            counted = Occurrence(now, reached.position)
            if not looked_at.is_news:
                self._quiet = checkpoint, counted
                return 0
            present = Present(seen, now, terms_position, definitions)
            found = self._turns(present, queries, looked_at.customers, up_to)
            suspects = {turn.customer for turn in found if isinstance(turn, _Noticed)}
        # Most customers have more left, and nobody waits for that to be seen.
        with engine.log.writing(engine.now, needs_events=True) as writing:
            facts = self._decided(writing, pending, suspects, counted, checkpoint)
            if facts is None:
                return None
            writing.record(facts)
        pending.forget_touched(min(checkpoint.position, reached.position))
        return sum(isinstance(each, CreditAlertTriggered) for each in facts)

    def _decided(
        self,
        writing: Writing,
        pending: PendingUsage,
        suspects: Collection[str],
        counted: Occurrence,
        checkpoint: Occurrence,
    ) -> Sequence[_Noticed | TestClockTime] | None:
        """Return what to record, with the checkpoint moved; None to look again."""
        engine, connection = self._engine, writing.connection
        clocked = engine.clocked(writing, writing.head)
        seen = CreditQueries(connection, clocked=clocked)
        queries = BurnDownQueries(seen)
        place = Occurrence(writing.now, writing.head.position)
        due, at = ScheduleQueries(connection), writing.head.facts_position
        if engine.scheduled.are_due(due, at, None, writing.now):
            return None
        # A repair may have set it back.
        if queries.checkpoint() < checkpoint:
            return None
        later = _touched(queries, pending, counted, place, clocked)
        customers = None
        if later.customers is not None:
            customers = {*suspects, *later.customers}
        present = self._present(writing, seen, place.instant)
        found = self._turns(present, queries, customers, place)
        queries.move_checkpoint(place)
        return found

    def _turns(
        self,
        present: Present,
        queries: BurnDownQueries,
        customers: Collection[str] | None,
        place: Occurrence,
    ) -> list[_Noticed | TestClockTime]:
        """Return who fell to a threshold, or is above it again, as of a place.

        Customers of test clocks come last, behind the time that the clock shows; one that
        is being moved on shows none, so they are looked at when it is there.

        Args:
            present: the credits, by the log's time.
            queries: of the same transaction.
            customers: who is looked at; None is everybody.
            place: the present one, and that of the last entry that counts.
        """
        watches, clocked = queries.watches(None), present.seen.clocked
        if not watches or (customers is not None and not customers):
            return []
        owners = queries.owners_among(customers, [each.alert for each in watches])
        by_log, by_clock = clocked.by_time(owners)
        found: list[_Noticed | TestClockTime] = []
        found += self._turns_of(present, queries, by_log, watches, place)
        for test_clock_id, those in sorted(by_clock.items()):
            time = clocked.times[those[0]]
            if time.is_advancing:
                continue
            its = queries.watches(test_clock_id)
            then = present._replace(now=time.instant)
            at = Occurrence(time.instant, place.position)
            if turns := [*self._turns_of(then, queries, those, its, at)]:
                shown = TestClockTime(test_clock_id=test_clock_id, instant=time.instant)
                found += [shown, *turns]
        return found

    def _turns_of(
        self,
        present: Present,
        queries: BurnDownQueries,
        customers: Sequence[str],
        watches: Sequence[CreditWatch],
        place: Occurrence,
    ) -> Iterator[_Noticed]:
        """Yield what `_turns` returns of customers that live by one time."""
        fallen = queries.fallen(customers)
        for customer in customers:
            its = [
                each
                for each in watches
                if each.alert.customer in {None, customer} and each.after < place
            ]
            if not its:
                continue
            try:
                burned = self._burn_down.burned(present, customer)
            except InvalidRequestError:
                # What its usage comes to is beyond all amounts: nothing says what is left.
                continue
            balances = present.seen.balances_of(customer, present.now)
            drawn = burned.drawn_of()
            for watch in its:
                alert = watch.alert
                if alert.currency not in balances:
                    continue
                available = balances[alert.currency].available
                left = available - drawn.get(alert.currency, 0)
                has_fallen = (customer, watch.after.position) in fallen
                kind: type[_Noticed]
                if has_fallen and left > alert.lte:
                    kind = CreditAlertRecovered
                elif (
                    not has_fallen
                    and left <= alert.lte
                    and (
                        available > alert.lte
                        or queries.was_above(customer, watch, place.instant)
                    )
                ):
                    kind = CreditAlertTriggered
                else:
                    continue
                yield kind(
                    alert_id=alert.alert_id,
                    customer=customer,
                    value=left,
                    instant=place.instant,
                    cause_position=place.position,
                )


def _touched(
    queries: BurnDownQueries,
    pending: PendingUsage,
    after: Occurrence,
    up_to: Occurrence,
    clocked: ClockedCustomers,
) -> Touched:
    """Return who is to be looked at for what happened in a span of the log."""
    touched = queries.touched(after, up_to, clocked)
    by_usage = pending.touched_after(after.position)
    if by_usage is None or touched.customers is None:
        return Touched(customers=None, is_news=True)
    return Touched(
        customers={*touched.customers, *by_usage},
        is_news=touched.is_news or bool(by_usage),
    )
