"""Appending held events: as rows where they are few, as columns where they are many."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Protocol

import numpy as np
import pyarrow as pa

from ledger.appending.drafts import Outcome
from ledger.usage.columns import PAYLOAD, TIMESTAMP, column_of, strings_of
from ledger.usage.rows import FEW, FewEvents
from metering.arguments.clock import MICROSECOND
from metering.errors import IdentifierConflictError, conflict_message
from metering.recording.events import HeldEvent, UnrecordedEvent
from metering.store.checked_events import CheckedEvents, Doubts
from metering.store.engine import Engine
from metering.usage.arrivals import Arrival
from metering.usage.event_rules import check_each
from metering.usage.ingest.layout import LocatedColumns
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.piece_rules import check_columns
from metering.usage.ingest.receipts import Rejection
from projections.meters.catalog import Definitions


class _Refusal(Protocol):
    """Why an event was refused."""

    @property
    def code(self) -> str:
        """A word for programs."""

    @property
    def message(self) -> str:
        """A sentence."""


def append_held(engine: Engine, events: Sequence[HeldEvent]) -> list[UnrecordedEvent]:
    """Append events in one commit, and return those that were refused.

    Appending the same events again, after whatever failure, records nothing twice.

    Raises:
        LedgerError: nothing was recorded, or it is not known; append them again.
    """
    assert events, "there is something to append"
    events = _as_of_now(engine, events)
    check = _check_few if len(events) <= FEW else _check_many
    checked, outcome = engine.append(partial(check, engine, events))
    refused = dict(checked.refusals)
    if outcome is not None:
        refused |= _conflicts(events, checked, outcome)
    return [refused[number] for number in sorted(refused)]


def time_of_arrival(engine: Engine) -> int:
    """Return the time at which an event arrives to be held.

    Nothing is appended by a clock that is behind the log, and what is held meanwhile
    arrives when the log's last entry did, as far as this process knows.
    """
    now, known = engine.now(), engine.log.known_head.recorded_at
    limit = engine.settings.clock_skew_max
    is_behind = limit is not None and known - now > limit // MICROSECOND
    return known if is_behind else now


def _as_of_now(engine: Engine, events: Sequence[HeldEvent]) -> Sequence[HeldEvent]:
    """Let events of the future be of now: they were held while the clock was wrong.

    Nothing is appended while it is, so they wait until it was set right.
    """
    limit = engine.settings.clock_skew_max
    if limit is None:
        return events
    now = engine.now()
    latest = now + limit // MICROSECOND
    if all(event.recorded_at <= latest for event in events):
        return events
    return [
        event
        if event.recorded_at <= latest
        else event._replace(
            recorded_at=now,
            instant=event.instant if event.has_own_timestamp else now,
        )
        for event in events
    ]


def is_recorded(engine: Engine, event: HeldEvent) -> bool:
    """Whether the identifier of an event was recorded, whatever the event's time is.

    Raises:
        StoreError: it cannot be known.
    """
    definitions = engine.definitions()
    _, draft = engine.checked(partial(_check_few, engine, [event]), definitions)
    return len(draft) > 0 and not engine.log.settle(draft).are_here[0]


def _check_few(
    engine: Engine, events: Sequence[HeldEvent], definitions: Definitions
) -> CheckedEvents[UnrecordedEvent]:
    checked = check_each(
        _arrival(engine, events, definitions),
        range(len(events)),
        events,
        [event.identifier for event in events],
    )
    rows = list(checked.rows)
    numbers = np.array(rows, np.int64)
    return CheckedEvents(
        events=FewEvents(tuple(checked.rows.values())),
        numbers=numbers,
        has_own_timestamp=_have_own_timestamps(events)[numbers],
        sent_at=_sent_at(events)[numbers],
        refusals=_unrecorded(events, checked.refusals),
        doubts=Doubts.of(_unrecorded(events, checked.doubts), rows),
    )


def _check_many(
    engine: Engine, events: Sequence[HeldEvent], definitions: Definitions
) -> CheckedEvents[UnrecordedEvent]:
    arrival = _arrival(engine, events, definitions)
    # As for an event that is sent alone, any string names a customer.
    options = IngestOptions(null_values=())
    checked = check_columns(_columns_of(events), arrival, options)
    return CheckedEvents(
        events=checked.events,
        numbers=checked.numbers,
        has_own_timestamp=_have_own_timestamps(events)[checked.numbers],
        sent_at=_sent_at(events)[checked.numbers],
        refusals=_unrecorded(events, checked.refusals),
        doubts=_of_unrecorded(events, checked.doubts),
    )


def _of_unrecorded(
    events: Sequence[HeldEvent], doubts: Doubts[Rejection] | None
) -> Doubts[UnrecordedEvent] | None:
    if doubts is None:
        return None
    return Doubts(
        doubts.rows, lambda refused: _unrecorded(events, doubts.refuse(refused))
    )


def _arrival(
    engine: Engine, events: Sequence[HeldEvent], definitions: Definitions
) -> Arrival:
    """Return when events arrived: their timestamps were checked when they did."""
    recorded_at = max(event.recorded_at for event in events)
    return Arrival(
        now=max(engine.now(), recorded_at), definitions=definitions, takes_any_past=True
    )


def _columns_of(events: Sequence[HeldEvent]) -> LocatedColumns:
    names, identifiers, instants, _, _, payloads = zip(*events, strict=True)
    offsets = np.zeros(len(events) + 1, np.int32)
    np.cumsum([len(payload) for payload in payloads], out=offsets[1:])
    payload = pa.MapArray.from_arrays(
        column_of(offsets),
        strings_of(list(chain.from_iterable(payloads))),
        strings_of(list(chain.from_iterable(each.values() for each in payloads))),
        type=PAYLOAD,
    )
    return LocatedColumns(
        numbers=np.arange(len(events)),
        event_name=strings_of(names),
        identifier=strings_of(identifiers),
        timestamp=column_of(np.array(instants, np.int64)).view(TIMESTAMP),
        customer=None,
        value=None,
        payload=payload,
    )


def _have_own_timestamps(events: Sequence[HeldEvent]) -> np.ndarray:
    return np.array([event.has_own_timestamp for event in events], np.bool_)


def _sent_at(events: Sequence[HeldEvent]) -> np.ndarray:
    return np.array([event.recorded_at for event in events], np.int64)


def _unrecorded(
    events: Sequence[HeldEvent], refusals: Mapping[int, _Refusal]
) -> dict[int, UnrecordedEvent]:
    return {
        number: UnrecordedEvent.of(events[number], refusal.code, refusal.message)
        for number, refusal in refusals.items()
    }


def _conflicts(
    events: Sequence[HeldEvent],
    checked: CheckedEvents[UnrecordedEvent],
    outcome: Outcome,
) -> dict[int, UnrecordedEvent]:
    conflicts: dict[int, UnrecordedEvent] = {}
    for row, fields in outcome.conflicts.items():
        event = events[int(checked.numbers[row])]
        message = conflict_message(
            event.identifier, fields, int(outcome.positions[row])
        )
        conflicts[int(checked.numbers[row])] = UnrecordedEvent.of(
            event, IdentifierConflictError.code, message
        )
    return conflicts
