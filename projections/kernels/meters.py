"""Meter definitions: what the facts about a meter add up to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from msgspec.structs import asdict

from ledger.facts.meters import (
    EventTimeWindow,
    Formula,
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterStatus,
    MeterUpdated,
)
from ledger.facts.union import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterDefinition:
    """A meter at some position of the log.

    Times are microseconds since 1970 UTC. `position` is that of the fact that created
    the meter, which orders meters created at the same instant.
    """

    meter_id: str
    event_name: str
    display_name: str
    formula: Formula
    customer_payload_key: str
    value_payload_key: str
    event_time_window: EventTimeWindow | None
    status: MeterStatus
    created: int
    updated: int
    deactivated_at: int | None
    position: int
    needs_value: bool = field(init=False)
    """Whether an event without a number means nothing to this meter."""
    needs_string: bool = field(init=False)
    """Whether events must have, and keep, a string under the value key."""

    def __post_init__(self) -> None:
        """Derive from the formula, once, what every event is asked."""
        is_count = self.formula in {Formula.COUNT, Formula.UNIQUE_COUNT}
        object.__setattr__(self, "needs_value", not is_count)
        is_unique = self.formula is Formula.UNIQUE_COUNT
        object.__setattr__(self, "needs_string", is_unique)


def apply_fact(
    definitions: Mapping[str, MeterDefinition],
    fact: Fact,
    *,
    position: int,
    recorded_at: int,
) -> MeterDefinition | None:
    """Return the definition of a meter after a fact about it.

    Args:
        definitions: by meter id, before the fact.
        fact: any fact.
        position: of the fact.
        recorded_at: of the fact, microseconds since 1970 UTC.

    Returns:
        None where the fact is not about a meter.
    """
    match fact:
        case MeterCreated():
            return MeterDefinition(
                **asdict(fact),
                status=MeterStatus.ACTIVE,
                created=recorded_at,
                updated=recorded_at,
                deactivated_at=None,
                position=position,
            )
        case MeterUpdated():
            return replace(
                definitions[fact.meter_id],
                display_name=fact.display_name,
                updated=recorded_at,
            )
        case MeterDeactivated():
            return replace(
                definitions[fact.meter_id],
                status=MeterStatus.INACTIVE,
                deactivated_at=recorded_at,
                updated=recorded_at,
            )
        case MeterReactivated():
            return replace(
                definitions[fact.meter_id],
                status=MeterStatus.ACTIVE,
                deactivated_at=None,
                updated=recorded_at,
            )
        case _:
            return None
