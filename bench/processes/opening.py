"""Open a store and ask one question: `python -m bench.processes.opening STORE METER CUSTOMER`.

Runs in a process of its own, which has nothing in memory. Prints one line of JSON.
"""

import sys
import time
from decimal import Decimal

import msgspec

import metering
from metering.cli.demo.traffic import END, START


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What the process reports; the seconds are those without its start and imports."""

    first_answer_seconds: float
    value: Decimal


def open_and_ask(store: str, meter: str, customer: str) -> Opening:
    """Ask for thirty days of one customer."""
    started = time.perf_counter()
    with metering.connect(store, create=False) as engine:
        (summary,) = engine.meters.event_summaries(
            meter, customer=customer, start_time=START, end_time=END
        )
        seconds = time.perf_counter() - started
    return Opening(first_answer_seconds=seconds, value=summary.aggregated_value)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(open_and_ask(*sys.argv[1:4])) + b"\n")
