"""Credit crossings: where credits fell to the thresholds of alerts.

Credits fall to a threshold where they were above it before and are not after. That
follows from the log alone, so triggers do not depend on how the log was cut. Since the
checkpoint, facts touched some customers, and time made some grants effective or expire;
no other customer's credits can have fallen.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ledger.commits import read_head
from ledger.errors import StoreDamagedError
from ledger.facts.alerts import AlertActivated, CreditAlertCreated, CreditAlertTriggered
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldReleased,
    CreditHoldSettled,
)
from ledger.facts.test_clocks import TestClockTime
from ledger.facts.union import Fact
from ledger.reading import read_facts
from projections.alerts.queries import AlertQueries
from projections.credits.pools.moved import grants_moved
from projections.credits.queries import CreditQueries
from projections.credits.turns import next_turn, turning
from projections.kernels.alerts.book import CreditWatch
from projections.kernels.credits.falls import Occurrence, steps
from projections.test_clocks.clocked import ClockedCustomers
from projections.test_clocks.queries import ClockQueries, by_clock, read_clocked

_CUSTOMERS_AT_A_TIME = 1_000
_EVER = -(2**62)

_CreditCrossing = tuple[Occurrence, int, CreditAlertTriggered]
"""Where credits fell, the period of the alert, and the fact to record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quiet:
    """A span in which time changes no balance, as far as the log goes.

    Attributes:
        position: up to which the log was evaluated.
        checkpoint: the position of the checkpoint then.
        start: the instant up to which time was evaluated.
        end: the first instant at which a balance changes; None is never.
    """

    position: int
    checkpoint: int
    start: int
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFindings:
    """The result of one evaluation.

    Attributes:
        checkpoint: after which they were looked for.
        triggers: in the order in which they happened, those for customers of a test
            clock behind the time that it shows.
        reached: where the last evaluated entry was recorded.
        facts_position: of the last evaluated fact.
        instant: up to which time was evaluated.
        are_news: whether there is anything to record.
        quiet: to be kept once the triggers are recorded.
    """

    checkpoint: Occurrence
    triggers: tuple[CreditAlertTriggered | TestClockTime, ...]
    reached: Occurrence
    facts_position: int
    instant: int
    are_news: bool
    quiet: _Quiet


class CreditCrossings:
    """Finds where credits fell. For one thread at a time."""

    def __init__(self) -> None:
        self._quiet: _Quiet | None = None

    def find(
        self, seen: AlertQueries, clocked: ClockedCustomers, now: int
    ) -> CreditFindings:
        """Return what triggers up to an instant at or after the last recording.

        What triggers for customers of test clocks comes last, each at its clock's time.
        """
        head, credit = read_head(seen.connection), CreditQueries(seen.connection)
        checkpoint = seen.credit_checkpoint()
        if checkpoint is None:
            raise StoreDamagedError("table credit_alert_checkpoint", "it has no row")
        facts: list[Fact] = []
        if head.facts_position > checkpoint.position:
            read = read_facts(seen.connection, checkpoint.position, head.position)
            facts = [fact for _, _, fact in read]
        customers = touched_by(facts, credit)
        quiet = self._quiet_at(checkpoint, facts, now)
        if quiet is None:
            customers.update(turning(seen.connection, checkpoint.instant, now))
            end = next_turn(seen.connection, now)
            quiet = _Quiet(position=0, checkpoint=0, start=0, end=end)
        by_clock = sorted(customers & clocked.times.keys())
        customers.difference_update(by_clock)
        found: list[_CreditCrossing] = []
        if customers:
            watches = seen.credit_watches(checkpoint.position)
            found = list(_falls(credit, customers, watches, (checkpoint.instant, now)))
            found = _unrecorded(seen, found, checkpoint.instant)
        are_news = bool(found or facts)
        return CreditFindings(
            checkpoint=checkpoint,
            triggers=(
                *(fact for _, _, fact in sorted(found, key=_order)),
                *_of_clocks(seen, by_clock, clocked),
            ),
            reached=Occurrence(head.recorded_at, head.position),
            facts_position=head.facts_position,
            instant=now,
            are_news=are_news,
            quiet=_Quiet(
                position=head.position,
                checkpoint=head.position if are_news else checkpoint.position,
                start=now,
                end=quiet.end,
            ),
        )

    def recorded(self, findings: CreditFindings) -> None:
        """Go on from findings that were recorded."""
        self._quiet = findings.quiet

    def _quiet_at(
        self, checkpoint: Occurrence, facts: Sequence[Fact], now: int
    ) -> _Quiet | None:
        """Return the quiet span with new facts; None where it is over or unknown.

        It is unknown where another process moved the checkpoint, a repair set it back,
        the clock went back, or earlier changes may matter to a new alert.
        """
        quiet = self._quiet
        if (
            quiet is None
            or now < quiet.start
            or not quiet.checkpoint <= checkpoint.position <= quiet.position
        ):
            return None
        end = quiet.end
        for fact in facts:
            match fact:
                case CreditAlertCreated() | AlertActivated():
                    return None
                case CreditGrantCreated():
                    end = _earliest(end, fact.effective_at, fact.expires_at, after=now)
                case CreditGrantUpdated():
                    end = _earliest(end, fact.expires_at, after=now)
                case _:
                    pass
        is_over = end is not None and end <= now
        return None if is_over else replace(quiet, end=end)


def clocked_falls(
    seen: AlertQueries, customers: Sequence[str], test_clock_id: str, instant: int
) -> list[CreditAlertTriggered]:
    """Return what triggers for customers of a test clock, and is not recorded.

    Periods of alerts begin where the clock showed what it did then.

    Args:
        seen: the alerts.
        customers: of the clock.
        test_clock_id: of the clock.
        instant: that it shows.
    """
    times = ClockQueries(seen.connection).times(test_clock_id)
    watches = [
        CreditWatch(
            alert=each.alert,
            after=by_clock(times, each.after.position),
            before=each.before and by_clock(times, each.before.position),
        )
        for each in seen.credit_watches(0)
    ]
    credit = CreditQueries(seen.connection)
    found = sorted(_falls(credit, customers, watches, (_EVER, instant)), key=_order)
    return [fact for _, _, fact in _unrecorded(seen, found, _EVER)]


def _of_clocks(
    seen: AlertQueries, customers: Sequence[str], clocked: ClockedCustomers
) -> Iterator[CreditAlertTriggered | TestClockTime]:
    """Yield what triggers for customers of test clocks, behind what each clock shows."""
    _, by_clock = clocked.by_time(customers)
    for test_clock_id, those in sorted(by_clock.items()):
        instant = clocked.times[those[0]].instant
        found = clocked_falls(seen, those, test_clock_id, instant)
        if found:
            yield TestClockTime(test_clock_id=test_clock_id, instant=instant)
            yield from found


def missed_falls(
    seen: AlertQueries, reached: Occurrence
) -> Iterator[CreditAlertTriggered]:
    """Yield what must have triggered up to a place, and is not recorded."""
    credit, watches = CreditQueries(seen.connection), seen.credit_watches(0)
    clocked = ClockedCustomers(read_clocked(seen.connection))
    span = (_EVER, reached.instant)
    customers = {*credit.customers()} - clocked.times.keys()
    found = sorted(_falls(credit, customers, watches, span), key=_order)
    for place, _, fact in _unrecorded(seen, found, _EVER):
        if place <= reached:
            yield fact
    for missed in _of_clocks(seen, sorted(clocked.times), clocked):
        if isinstance(missed, CreditAlertTriggered) and (
            missed.cause_position <= reached.position
        ):
            yield missed


def _unrecorded(
    seen: AlertQueries, found: Sequence[_CreditCrossing], since: int
) -> list[_CreditCrossing]:
    """Return those that no trigger is recorded of, given from when on they are."""
    periods = {period for _, period, _ in found}
    fired = seen.credits_fired(sorted(periods), since)
    return [each for each in found if _key(each) not in fired]


def _earliest(end: int | None, *turns: int | None, after: int) -> int | None:
    """Return the earliest of an end and of turns after an instant."""
    coming = [each for each in turns if each is not None and each > after]
    return min(coming if end is None else [end, *coming], default=None)


def touched_by(facts: Sequence[Fact], credit: CreditQueries) -> set[str]:
    """Return the customers whose credits some facts are about."""
    customers: set[str] = set()
    grants: list[str] = []
    invoices: list[str] = []
    for fact in facts:
        match fact:
            case CreditGrantCreated():
                customers.add(fact.customer)
            case CreditsApplied() if fact.draws:
                customers.add(fact.customer)
            case CreditHoldSettled():
                customers.add(fact.application.customer)
            case CreditHoldCreated() | CreditHoldReleased():
                customers.add(fact.customer)
            case CreditsReinstated():
                invoices.append(fact.invoice)
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                grants.append(fact.grant_id)
            case _:
                pass
    return customers | credit.customers_of(grants, invoices)


def _falls(
    credit: CreditQueries,
    customers: Collection[str],
    watches: Sequence[CreditWatch],
    span: tuple[int, int],
) -> Iterator[_CreditCrossing]:
    """Yield where credits fell to thresholds in a span of instants, both inclusive."""
    named = {watch.alert.customer for watch in watches}
    # What a pool has is no customer's.
    customers = {*customers} - {""}
    wanted = sorted(each for each in customers if None in named or each in named)
    since, up_to = span
    for at in range(0, len(wanted), _CUSTOMERS_AT_A_TIME):
        portion = wanted[at : at + _CUSTOMERS_AT_A_TIME]
        applications = credit.applications_of_many_since(portion, since - 1)
        moves = credit.holds.moves_since(portion, since - 1)
        grants = grants_moved(credit, portion, applications, moves)
        for customer in portion:
            for step in steps(
                grants.get(customer, ()),
                applications.get(customer, ()),
                moves.get(customer, ()),
                since,
                up_to,
            ):
                for watch in watches:
                    if watch.triggers_at(customer, step):
                        fact = CreditAlertTriggered(
                            alert_id=watch.alert.alert_id,
                            customer=customer,
                            value=step.after,
                            instant=step.place.instant,
                            cause_position=step.place.position,
                        )
                        yield step.place, watch.after.position, fact


def _key(found: _CreditCrossing) -> tuple[int, str, Occurrence]:
    place, period, fact = found
    return period, fact.customer, place


def _order(found: _CreditCrossing) -> tuple[Occurrence, int, str]:
    place, period, fact = found
    return place, period, fact.customer
