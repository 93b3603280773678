"""Record an event and sum it up: `python -m bench.processes.first_event STORE METER`.

Loads what a backend loads to meter its first request, and prints the usage.
"""

import sys

import metering

_END = 1 << 32 << 1


def record_and_sum(store: str, meter: str) -> str:
    """Record one event in a store that is there, and return the usage so far."""
    with metering.connect(store, create=False) as m:
        payload = {"stripe_customer_id": "cus_1", "value": "1"}
        m.meter_events.create(event_name="tokens", payload=payload)
        (summary,) = m.meters.event_summaries(
            meter, customer="cus_1", start_time=0, end_time=_END - _END % 60
        )
        return str(summary.aggregated_value)


if __name__ == "__main__":
    print(record_and_sum(*sys.argv[1:3]))
