"""Snapshots: the events of a fact, each with its resource as it was after the fact.

An event's id names the log, the fact's position and the number of the event among those
of the fact. It is the same in every process and at any time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.ancestry.ancestors import Lineage
from ledger.facts.alerts import (
    CreditAlertTriggered,
    SpendLimitWarned,
    UsageAlertTriggered,
)
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
    GrantFact,
)
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldLapsed,
    CreditHoldReleased,
    CreditHoldSettled,
)
from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterUpdated,
)
from metering.alerts.resources import triggered_resource
from metering.arguments.clock import at_microseconds
from metering.bodies import ResourceObject
from metering.credits.grants import grant_resource
from metering.credits.transactions import transaction_resource
from metering.entitlements.resources import SummaryEntitlements
from metering.holds.resources import CreditHold
from metering.holds.shown import hold_resource
from metering.limits.shown import warning_resource
from metering.meters.meters import meter_resource
from metering.store.customer_time import with_clock
from metering.webhooks.event_rules import RULES, TRANSACTION
from metering.webhooks.objects_sold import object_sold
from metering.webhooks.requests import EventType
from metering.webhooks.resources import Event, EventData, EventObject
from projections.credits.queries import CreditQueries
from projections.kernels.alerts.book import Trigger
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.holds import Hold, as_of, returns
from projections.kernels.credits.timeline import (
    CreditTransaction,
    TransactionKind,
    applied_transactions,
    grant_transactions,
    late_transactions,
    reinstated_transactions,
)
from projections.schema import RecordedFact
from projections.webhooks.past import Past

_EPOCH_DIGITS = 12
_ID = re.compile(
    r"evt_([0-9a-f]{12})_([1-9a-f][0-9a-f]{0,15})_(0|[1-9a-f][0-9a-f]{0,7})"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EventPlace:
    """The fact of an event and its number there; sorts in the order of the log."""

    position: int
    number: int

    def event_id(self, lineage: Lineage) -> str:
        """Return the id of the event in a log; it is that of the log it happened in."""
        epoch = lineage.epoch_at(self.position)
        log = epoch[:_EPOCH_DIGITS].rjust(_EPOCH_DIGITS, "0")
        return f"evt_{log}_{self.position:x}_{self.number:x}"

    @classmethod
    def of_id(cls, event_id: object, lineage: Lineage) -> "EventPlace | None":
        """Return the place that an id names; None for an id of another log or of none."""
        parts = _ID.fullmatch(event_id) if isinstance(event_id, str) else None
        if parts is None:
            return None
        place = cls(position=int(parts[2], 16), number=int(parts[3], 16))
        is_of_log = place.event_id(lineage) == event_id
        return place if is_of_log and place.position < 2**63 else None


class Snapshots:
    """Makes the events of facts.

    Args:
        past: resources as they were.
        seen: credits, of which transactions are made.
        lineage: of the log.
        livemode: what resources say of themselves.
    """

    def __init__(
        self, past: Past, seen: CreditQueries, *, lineage: Lineage, livemode: bool
    ) -> None:
        self._past = past
        self._seen = seen
        self._lineage = lineage
        self._livemode = livemode
        self._applications: dict[int, Application] = {}
        self._grants: dict[int, Grant] = {}

    def read_ahead(self, facts: Sequence[RecordedFact]) -> None:
        """Read what the events of some facts need, in few statements.

        A billing run settles a hundred thousand invoices in one commit.
        """
        applied: list[int] = []
        reinstated: list[int] = []
        grant_ids, alert_ids = set[str](), set[str]()
        for position, _, fact in facts:
            match fact:
                case CreditsApplied() | CreditHoldSettled():
                    applied.append(position)
                case CreditsReinstated():
                    reinstated.append(position)
                case UsageAlertTriggered() | CreditAlertTriggered():
                    alert_ids.add(fact.alert_id)
                case (
                    CreditGrantCreated()
                    | CreditGrantUpdated()
                    | CreditGrantExpired()
                    | CreditGrantVoided()
                    | CreditGrantLapsed()
                ):
                    grant_ids.add(fact.grant_id)
                case _:
                    pass
        self._past.read_ahead(grant_ids, alert_ids)
        self._applications = self._seen.applications_at(applied)
        if reinstated:
            self._applications |= self._seen.reinstated_at(reinstated)
        positions = {
            draw.grant_position
            for application in self._applications.values()
            for draw in application.draws
        }
        self._grants = self._seen.grants_at(sorted(positions))

    def of(self, recorded: RecordedFact) -> list[tuple[EventPlace, Event]]:
        """Return the events of a fact, in order."""
        position, recorded_at, _ = recorded
        made = []
        for number, (event_type, data) in enumerate(self._events(recorded)):
            place = EventPlace(position=position, number=number)
            event = Event(
                id=place.event_id(self._lineage),
                created=at_microseconds(recorded_at),
                data=data,
                livemode=self._livemode,
                pending_webhooks=0,
                type=event_type,
            )
            made.append((place, event))
        return made

    def _events(self, recorded: RecordedFact) -> Iterator[tuple[EventType, EventData]]:
        position, _, fact = recorded
        rule = RULES.get(type(fact))
        if rule is None:
            return
        if rule.event_type is not None:
            resource, before = self._resource(recorded, position), None
            if rule.is_change:
                before = _changed(self._resource(recorded, position - 1), resource)
            data = EventData(object=resource, previous_attributes=before)
            yield rule.event_type, data
        if rule.transactions is not None:
            for each in self._transactions(recorded, rule.transactions):
                transaction = with_clock(
                    self._past.clocked,
                    transaction_resource(each, livemode=self._livemode),
                    each.customer,
                )
                yield TRANSACTION, EventData(object=transaction)

    def _resource(self, recorded: RecordedFact, at: int) -> EventObject:
        """Return the resource that a fact is about, as it was at a position."""
        position, recorded_at, fact = recorded
        match fact:
            case (
                MeterCreated()
                | MeterUpdated()
                | MeterDeactivated()
                | MeterReactivated()
            ):
                meter = self._past.meter(fact.meter_id, at)
                return meter_resource(meter, livemode=self._livemode)
            case (
                CreditHoldCreated()
                | CreditHoldSettled()
                | CreditHoldReleased()
                | CreditHoldLapsed()
            ):
                return self._hold(fact.hold_id, at, recorded_at)
            case SpendLimitWarned():
                alert = self._past.alert(fact.alert_id, at)
                return warning_resource(
                    fact, recorded_at, alert, livemode=self._livemode
                )
            case UsageAlertTriggered() | CreditAlertTriggered():
                alert = self._past.alert(fact.alert_id, at)
                trigger = Trigger(
                    position=position, recorded_at=recorded_at, period=0, fact=fact
                )
                return triggered_resource(trigger, alert, livemode=self._livemode)
            case _ if isinstance(fact, CreditGrantCreated | GrantFact):
                grant = self._past.grant(fact.grant_id, at)
                shown = grant_resource(grant, livemode=self._livemode)
                return with_clock(self._past.clocked, shown, grant.customer)
            case _:
                return object_sold(self._past, recorded, at, livemode=self._livemode)

    def _hold(self, hold_id: str, at: int, instant: int) -> CreditHold:
        """Return a hold as it was at a position, recorded at an instant."""
        now = self._hold_now(hold_id)
        made = self._seen.holds.settlements_of([now]).get(now.position, ())
        hold = as_of(now, made, at)
        grant_ids = self._seen.grant_ids([part.grant_position for part in hold.parts])
        return hold_resource(hold, grant_ids, instant, livemode=self._livemode)

    def _hold_now(self, hold_id: str) -> Hold:
        return self._seen.holds.holds_named([hold_id])[hold_id]

    def _transactions(
        self, recorded: RecordedFact, kind: TransactionKind
    ) -> Iterator[CreditTransaction]:
        """Yield the transactions that a fact causes, of a kind where it is of a grant."""
        position, _, fact = recorded
        if isinstance(fact, CreditsApplied | CreditHoldSettled):
            yield from applied_transactions(*self._application(position))
        elif isinstance(fact, CreditsReinstated):
            yield from reinstated_transactions(*self._application(position))
        elif isinstance(fact, CreditGrantCreated | GrantFact | CreditGrantLapsed):
            grant = self._past.grant_now(fact.grant_id)
            for each in grant_transactions(grant, grant.left_at_its_end):
                if each.kind is kind:
                    yield each
        if (isinstance(fact, CreditHoldSettled) and fact.final) or isinstance(
            fact, CreditHoldReleased | CreditHoldLapsed
        ):
            moves = [*returns(self._hold_now(fact.hold_id))]
            grants = self._seen.grants_at([move.grant_position for move in moves])
            yield from late_transactions(moves, grants)

    def _application(self, position: int) -> tuple[Application, dict[int, Grant]]:
        """Return what an invoice drew or gave back, and the grants that it drew from."""
        if position in self._applications:
            return self._applications[position], self._grants
        at = [position]
        found = self._seen.applications_at(at) or self._seen.reinstated_at(at)
        application = found[position]
        return application, self._seen.grants_drawn(application)


def _changed(before: ResourceObject, after: ResourceObject) -> dict[str, object]:
    """Return the attributes that differ, with their values before.

    Those that Stripe's resource does not have are left out, as in the resource itself.
    """
    return {
        name: _former(getattr(before, name))
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(after, name)
        and name not in before.beyond_stripe
    }


def _former(value: object) -> object:
    """Return what an attribute was; of a list only what was in it."""
    return {"data": value.data} if isinstance(value, SummaryEntitlements) else value
