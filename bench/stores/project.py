"""This project as a contestant: the public door, and what it answers afterwards."""

from collections.abc import Iterable

import metering
from bench.measures import SAMPLED_CUSTOMERS, Answers
from metering.cli.demo.traffic import END, EVENT_NAMES, START, customer_id


def create_meters(engine: metering.Metering) -> dict[str, metering.Meter]:
    """Create a meter that adds up for each event name of the traffic."""
    return {
        event_name: engine.meters.create(
            display_name=event_name.replace("_", " ").capitalize(),
            event_name=event_name,
            default_aggregation={"formula": "sum"},
        )
        for event_name in EVENT_NAMES
    }


def answers(
    engine: metering.Metering,
    meters: Iterable[metering.Meter],
    *,
    events: int,
) -> Answers:
    """Ask for the usage of the sampled customers; `events` is how many it holds."""
    totals = {}
    for meter in meters:
        for customer in map(customer_id, SAMPLED_CUSTOMERS):
            (summary,) = engine.meters.event_summaries(
                meter.id, customer=customer, start_time=START, end_time=END
            )
            if summary.aggregated_value:
                totals[meter.event_name, customer] = summary.aggregated_value
    return Answers(events=events, totals=totals)
