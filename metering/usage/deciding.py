"""An event by itself that is decided about in the database transaction that records it.

It is settled first, since what is recorded already was decided about then; whoever decides
records it after, in the same transaction.
"""

from dataclasses import dataclass

import numpy as np

from ledger.appending.drafts import Draft, Status
from ledger.appending.writing import Writing
from ledger.usage.columns import UsageRow
from ledger.usage.rows import FewEvents
from metering.errors import IdentifierConflictError
from metering.store.engine import Engine
from metering.usage.meter_events import event_resource, original_event
from metering.usage.resources import MeterEvent
from projections.meters.catalog import Definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledEvent:
    """An event that was compared with what is recorded.

    Attributes:
        row: the event.
        draft: of it alone.
        position: of what is recorded under its identifier, where it is not new.
        is_new: whether it is to be recorded.
    """

    row: UsageRow
    draft: Draft
    position: int
    is_new: bool


def settled_event(
    engine: Engine,
    definitions: Definitions,
    writing: Writing,
    row: UsageRow,
    *,
    has_own_timestamp: bool,
) -> SettledEvent:
    """Compare an event with what is recorded, in the transaction that may record it.

    Args:
        engine: of the store.
        definitions: the meters by which it was checked.
        writing: in which everything committed before is taken in.
        row: the event.
        has_own_timestamp: whether its sender said when it happened.

    Raises:
        IdentifierConflictError: the identifier has an event of other content.
    """
    draft = Draft.of(
        FewEvents((row,)),
        has_own_timestamp=np.array([has_own_timestamp]),
        facts_position=definitions.facts_position,
        now=engine.now,
    )
    outcome = writing.settle(draft)
    position = int(outcome.positions[0])
    if int(outcome.statuses[0]) == Status.CONFLICT:
        raise IdentifierConflictError(row.identifier, outcome.conflicts[0], position)
    return SettledEvent(
        row=row, draft=draft, position=position, is_new=bool(outcome.are_new[0])
    )


def recorded_event(
    engine: Engine, writing: Writing, settled: SettledEvent
) -> MeterEvent:
    """Return an event as its sender gets it, when the transaction has ended."""
    made = writing.commit
    if made is None:
        return original_event(engine, settled.position)
    engine.sealing.appended()
    return event_resource(engine, settled.row, made.first_position, made.recorded_at)
