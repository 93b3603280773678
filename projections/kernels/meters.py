"""Meter definitions: what the facts about a meter add up to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    """A meter as it is defined at some position of the log.

    Times are microseconds since 1970 UTC. `position` is that of the fact that created
    the meter: meters created in one instant still have an order.
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

    @property
    def needs_value(self) -> bool:
        """Whether an event without a number means nothing to this meter."""
        return self.formula not in {Formula.COUNT, Formula.UNIQUE_COUNT}

    @property
    def needs_text(self) -> bool:
        """Whether events keep what they have under the value key, and must have it."""
        return self.formula is Formula.UNIQUE_COUNT


def apply_fact(
    definitions: Mapping[str, MeterDefinition],
    fact: Fact,
    *,
    position: int,
    recorded_at: int,
) -> MeterDefinition | None:
    """Find out how a fact leaves the meter that it is about.

    Args:
        definitions: by meter id, as they were before the fact.
        fact: any fact.
        position: the fact's.
        recorded_at: the fact's, microseconds since 1970 UTC.

    Returns:
        The meter's new definition, or None where the fact is not about a meter.
    """
    match fact:
        case MeterCreated():
            return MeterDefinition(
                meter_id=fact.meter_id,
                event_name=fact.event_name,
                display_name=fact.display_name,
                formula=fact.formula,
                customer_payload_key=fact.customer_payload_key,
                value_payload_key=fact.value_payload_key,
                event_time_window=fact.event_time_window,
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
