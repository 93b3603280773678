"""Credit crossings: where credits fell to the thresholds of alerts, found in the log.

A fall is where credits were above a threshold before and are not after, which follows
from the log alone; so the triggers are the same however it is cut. What is looked at is
what facts touched since the checkpoint, and what became effective or expired by time
since the instant of the checkpoint: nothing can be recorded before that any more.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ledger.commits import read_head
from ledger.facts.alerts import AlertActivated, CreditAlertCreated, CreditAlertTriggered
from ledger.facts.credits import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.union import Fact
from ledger.reading import read_facts
from projections.alerts.queries import AlertQueries
from projections.credits.queries import CreditQueries
from projections.kernels.alerts.book import CreditWatch
from projections.kernels.credits.falls import Occurrence, steps

_CUSTOMERS_AT_A_TIME = 1_000

_CreditCrossing = tuple[Occurrence, int, CreditAlertTriggered]
"""Where credits fell, the period that it triggers in, and what is to be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quiet:
    """A while in which time changes no balance, as far as the log goes.

    Attributes:
        position: up to which the log was looked at.
        start: an instant, up to which all was looked at.
        end: the first instant at which anything changes; None is never.
    """

    position: int
    start: int
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFindings:
    """What was found.

    Attributes:
        triggers: in the order in which they happened.
        reached: where the last entry was recorded that was looked at.
        facts_position: of the last fact among these.
        instant: up to which time was looked at.
        are_news: whether there is anything to record.
        quiet: to be kept once it is recorded.
    """

    triggers: tuple[CreditAlertTriggered, ...]
    reached: Occurrence
    facts_position: int
    instant: int
    are_news: bool
    quiet: _Quiet


class CreditCrossings:
    """Finds where credits fell. For one thread at a time."""

    def __init__(self) -> None:
        self._quiet: _Quiet | None = None

    def find(self, seen: AlertQueries, now: int) -> CreditFindings:
        """Find what triggers up to an instant that is not before what is recorded."""
        head, credit = read_head(seen.connection), CreditQueries(seen.connection)
        checkpoint = seen.credit_checkpoint()
        assert checkpoint is not None, "there is an alert"
        facts: list[Fact] = []
        if head.facts_position > checkpoint.position:
            read = read_facts(seen.connection, checkpoint.position, head.position)
            facts = [fact for _, _, fact in read]
        customers = _touched(facts, credit)
        quiet = self._quiet_at(checkpoint, facts, now)
        if quiet is None:
            customers.update(credit.turning(checkpoint.instant, now))
            quiet = _Quiet(position=0, start=0, end=credit.next_turn(now))
        found: list[_CreditCrossing] = []
        if customers:
            watches = seen.credit_watches(checkpoint.position)
            found = list(_falls(credit, customers, watches, (checkpoint.instant, now)))
            periods = {period for _, period, _ in found}
            fired = seen.credits_fired(sorted(periods), checkpoint.instant)
            found = [each for each in found if _key(each) not in fired]
        return CreditFindings(
            triggers=tuple(fact for _, _, fact in sorted(found, key=_order)),
            reached=Occurrence(head.recorded_at, head.position),
            facts_position=head.facts_position,
            instant=now,
            are_news=bool(found or facts),
            quiet=_Quiet(position=head.position, start=now, end=quiet.end),
        )

    def recorded(self, findings: CreditFindings) -> None:
        """Remember that what was found is recorded."""
        self._quiet = findings.quiet

    def _quiet_at(
        self, checkpoint: Occurrence, facts: Sequence[Fact], now: int
    ) -> _Quiet | None:
        """Get the while in which nothing changes, with new facts; None where it ended.

        Or where it is not known: somebody else went on, the clock went back, or what
        time did before may matter to an alert that is new.
        """
        quiet = self._quiet
        if quiet is None or now < quiet.start or checkpoint.position > quiet.position:
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


def _earliest(end: int | None, *turns: int | None, after: int) -> int | None:
    """Bring an end forward to what comes first after an instant."""
    coming = [each for each in turns if each is not None and each > after]
    return min(coming if end is None else [end, *coming], default=None)


def _touched(facts: Sequence[Fact], credit: CreditQueries) -> set[str]:
    """Find the customers whose credits some facts are about."""
    customers: set[str] = set()
    grants: list[str] = []
    invoices: list[str] = []
    for fact in facts:
        match fact:
            case CreditGrantCreated():
                customers.add(fact.customer)
            case CreditsApplied() if fact.draws:
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
    """Find where watched credits fell in a span of instants, both inclusive."""
    watched = {watch.alert.customer for watch in watches}
    wanted = sorted(each for each in customers if None in watched or each in watched)
    since, up_to = span
    for at in range(0, len(wanted), _CUSTOMERS_AT_A_TIME):
        portion = wanted[at : at + _CUSTOMERS_AT_A_TIME]
        grants = credit.grants_of_many(portion)
        applications = credit.applications_of_many_since(portion, since - 1)
        for customer in portion:
            for step in steps(
                grants.get(customer, ()), applications.get(customer, ()), since, up_to
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
