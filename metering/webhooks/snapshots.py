"""Snapshots: the events of a fact, each with its resource as it was after the fact.

An event's id names the log, the fact's position and the number of the event among those
of the fact. It is the same in every process and at any time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from ledger.facts.alerts import CreditAlertTriggered, UsageAlertTriggered
from ledger.facts.credits import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterUpdated,
)
from ledger.facts.union import Fact
from metering.alerts.resources import triggered_resource
from metering.arguments.clock import at_microseconds
from metering.credits.grants import grant_resource
from metering.credits.transactions import transaction_resource
from metering.meters.meters import meter_resource
from metering.webhooks.resources import Event, EventData, EventType
from projections.credits.queries import CreditQueries
from projections.kernels.alerts.book import Trigger, TriggerFact
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.timeline import (
    CreditTransaction,
    TransactionKind,
    applied_transactions,
    grant_transactions,
    reinstated_transactions,
    transactions,
)
from projections.schema import RecordedFact
from projections.webhooks.queries import Past

_TRANSACTION: EventType = "billing.credit_balance_transaction.created"
_GRANT_UPDATED: EventType = "billing.credit_grant.updated"

TYPES_OF: dict[type[Fact], frozenset[EventType]] = {
    MeterCreated: frozenset({"billing.meter.created"}),
    MeterUpdated: frozenset({"billing.meter.updated"}),
    MeterDeactivated: frozenset({"billing.meter.deactivated"}),
    MeterReactivated: frozenset({"billing.meter.reactivated"}),
    CreditGrantCreated: frozenset({"billing.credit_grant.created", _TRANSACTION}),
    CreditGrantUpdated: frozenset({_GRANT_UPDATED}),
    CreditGrantExpired: frozenset({_GRANT_UPDATED, _TRANSACTION}),
    CreditGrantVoided: frozenset({_GRANT_UPDATED, _TRANSACTION}),
    CreditGrantLapsed: frozenset({_TRANSACTION}),
    CreditsApplied: frozenset({_TRANSACTION}),
    CreditsReinstated: frozenset({_TRANSACTION}),
    UsageAlertTriggered: frozenset({"billing.alert.triggered"}),
    CreditAlertTriggered: frozenset({"billing.alert.triggered"}),
}
"""The types of the events of a fact, by its class; other facts have no events."""
EVENT_TYPES = tuple(sorted({each for types in TYPES_OF.values() for each in types}))

_EPOCH_DIGITS = 12
_ID = re.compile(
    r"evt_([0-9a-f]{12})_([1-9a-f][0-9a-f]{0,15})_(0|[1-9a-f][0-9a-f]{0,7})"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EventPlace:
    """The fact of an event and its number there; sorts in the order of the log."""

    position: int
    number: int

    def event_id(self, epoch: str) -> str:
        """Return the id of the event in the log of an epoch."""
        log = epoch[:_EPOCH_DIGITS].rjust(_EPOCH_DIGITS, "0")
        return f"evt_{log}_{self.position:x}_{self.number:x}"

    @classmethod
    def of_id(cls, event_id: object, epoch: str) -> "EventPlace | None":
        """Return the place that an id names; None for an id of another log or of none."""
        parts = _ID.fullmatch(event_id) if isinstance(event_id, str) else None
        if parts is None:
            return None
        place = cls(position=int(parts[2], 16), number=int(parts[3], 16))
        is_of_log = place.event_id(epoch) == event_id
        return place if is_of_log and place.position < 2**63 else None


class Snapshots:
    """Makes the events of facts.

    Args:
        past: resources as they were.
        seen: credits, of which transactions are made.
        epoch: of the log.
        livemode: what resources say of themselves.
    """

    def __init__(
        self, past: Past, seen: CreditQueries, *, epoch: str, livemode: bool
    ) -> None:
        self._past = past
        self._seen = seen
        self._epoch = epoch
        self._livemode = livemode
        self._applications: dict[str, Application] = {}
        self._grants: dict[int, Grant] = {}

    def read_ahead(self, facts: Sequence[RecordedFact]) -> None:
        """Read what the events of some facts need, in few statements.

        A billing run settles a hundred thousand invoices in one commit.
        """
        invoices = [
            fact.invoice
            for _, _, fact in facts
            if isinstance(fact, CreditsApplied | CreditsReinstated)
        ]
        self._applications = self._seen.applications_to(invoices)
        positions = {
            draw.grant_position
            for application in self._applications.values()
            for draw in application.draws
        }
        self._grants = self._seen.grants_at(sorted(positions))

    def of(self, recorded: RecordedFact) -> list[tuple[EventPlace, Event]]:
        """Return the events of a fact, in order."""
        position, recorded_at, fact = recorded
        made = []
        for number, (event_type, data) in enumerate(self._events(recorded)):
            assert event_type in TYPES_OF[type(fact)], "its types are listed"
            place = EventPlace(position=position, number=number)
            event = Event(
                id=place.event_id(self._epoch),
                created=at_microseconds(recorded_at),
                data=data,
                livemode=self._livemode,
                pending_webhooks=0,
                type=event_type,
            )
            made.append((place, event))
        return made

    def _events(self, recorded: RecordedFact) -> Iterator[tuple[EventType, EventData]]:
        _, _, fact = recorded
        match fact:
            case (
                MeterCreated()
                | MeterUpdated()
                | MeterDeactivated()
                | MeterReactivated()
            ):
                yield self._meter(recorded, fact)
            case UsageAlertTriggered() | CreditAlertTriggered():
                yield "billing.alert.triggered", self._triggered(recorded, fact)
            case (
                CreditGrantCreated()
                | CreditGrantUpdated()
                | CreditGrantExpired()
                | CreditGrantVoided()
                | CreditGrantLapsed()
            ):
                yield from self._grant(recorded, fact)
            case CreditsApplied():
                made = applied_transactions(*self._application(fact.invoice))
                yield from self._transactions(made)
            case CreditsReinstated():
                made = reinstated_transactions(*self._application(fact.invoice))
                yield from self._transactions(made)
            case _:
                pass

    def _application(self, invoice: str) -> tuple[Application, dict[int, Grant]]:
        """Return what an invoice drew, and the grants that it drew from."""
        if invoice in self._applications:
            return self._applications[invoice], self._grants
        application = self._seen.application(invoice)
        assert application is not None, "applications stay"
        return application, self._seen.grants_drawn(application)

    def _meter(
        self,
        recorded: RecordedFact,
        fact: MeterCreated | MeterUpdated | MeterDeactivated | MeterReactivated,
    ) -> tuple[EventType, EventData]:
        position, _, _ = recorded
        (event_type,) = TYPES_OF[type(fact)]
        now = self._past.meter(fact.meter_id, position)
        resource = meter_resource(now, livemode=self._livemode)
        if isinstance(fact, MeterCreated):
            return event_type, EventData(object=resource)
        before = self._past.meter(fact.meter_id, position - 1)
        return event_type, EventData(
            object=resource,
            previous_attributes=_changed(
                meter_resource(before, livemode=self._livemode), resource
            ),
        )

    def _triggered(self, recorded: RecordedFact, fact: TriggerFact) -> EventData:
        position, recorded_at, _ = recorded
        alert = self._past.alert(fact.alert_id, position)
        trigger = Trigger(
            position=position, recorded_at=recorded_at, period=0, fact=fact
        )
        return EventData(
            object=triggered_resource(trigger, alert, livemode=self._livemode)
        )

    def _grant(
        self,
        recorded: RecordedFact,
        fact: CreditGrantCreated
        | CreditGrantUpdated
        | CreditGrantExpired
        | CreditGrantVoided
        | CreditGrantLapsed,
    ) -> Iterator[tuple[EventType, EventData]]:
        position, _, _ = recorded
        grant = self._past.grant(fact.grant_id, position)
        resource = grant_resource(grant, livemode=self._livemode)
        match fact:
            case CreditGrantCreated():
                yield "billing.credit_grant.created", EventData(object=resource)
            case CreditGrantUpdated() | CreditGrantExpired() | CreditGrantVoided():
                then = self._past.grant(fact.grant_id, position - 1)
                before = grant_resource(then, livemode=self._livemode)
                yield (
                    _GRANT_UPDATED,
                    EventData(
                        object=resource, previous_attributes=_changed(before, resource)
                    ),
                )
            case CreditGrantLapsed():
                pass
        wanted = _CAUSED.get(type(fact))
        if wanted is not None:
            yield from self._transactions(self._of_grant(grant, wanted))

    def _of_grant(
        self, grant: Grant, kind: TransactionKind
    ) -> Iterator[CreditTransaction]:
        """Yield the transaction of a kind that a grant has, if it has one."""
        if kind is TransactionKind.EXPIRED:
            # Only here does it matter what invoices drew, and there may be many.
            made: Iterable[CreditTransaction] = transactions(
                self._seen.grants_by_position(grant.customer),
                self._seen.applications_of(grant.customer),
                2**62,
            )
        else:
            made = grant_transactions(grant, ())
        for each in made:
            if each.grant.position == grant.position and each.kind is kind:
                yield each

    def _transactions(
        self, made: Iterator[CreditTransaction]
    ) -> Iterator[tuple[EventType, EventData]]:
        for each in made:
            resource = transaction_resource(each, livemode=self._livemode)
            yield _TRANSACTION, EventData(object=resource)


_CAUSED: dict[type[Fact], TransactionKind] = {
    CreditGrantCreated: TransactionKind.GRANTED,
    CreditGrantExpired: TransactionKind.EXPIRED,
    CreditGrantVoided: TransactionKind.VOIDED,
    CreditGrantLapsed: TransactionKind.EXPIRED,
}


def _changed(before: msgspec.Struct, after: msgspec.Struct) -> dict[str, object]:
    """Return the attributes that differ, with their values before."""
    return {
        name: getattr(before, name)
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(after, name)
    }
