"""Write one event after the other: `python -m bench.processes.writing TARGET KIND NUMBER START SECONDS PAUSE`.

Runs in a process of its own, beside others that do the same. Prints the seconds that each
write took, as one line of JSON. KIND is ``store``, ``table`` for a bare SQLite table, or
``ingest``, which records a million events in bulk.
"""

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing

import msgspec

from bench.everyday.events import create, ingest, open_store

INGESTED = 10_000_000
"""Where the numbers of events of a bulk ingest begin."""


def written(
    write: Callable[[int], object], first: int, start: float, args: list[str]
) -> list[float]:
    """Write until the time is up, and return how long each write took."""
    seconds, pause = map(float, args)
    taken, number = [], first
    time.sleep(max(0.0, start - time.time()))  # noqa: TID251  # processes begin together
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        write(number)
        taken.append(time.perf_counter() - began)
        number += 1
        time.sleep(pause)
    return taken


def main(
    target: str, kind: str, number: int, start: float, args: list[str]
) -> list[float]:
    """Do what the arguments say."""
    first = number * 1_000_000
    if kind == "table":
        connection = sqlite3.connect(target, isolation_level=None, timeout=120)
        with closing(connection):
            connection.execute("PRAGMA synchronous = FULL")

            def insert(number: int) -> None:
                connection.execute(
                    "INSERT INTO event VALUES (?, ?)", (number, "x" * 100)
                )

            return written(insert, first, start, args)
    with open_store(target) as store:
        if kind == "ingest":
            began = time.perf_counter()
            ingest(store, range(INGESTED, INGESTED + int(args[0])))
            return [time.perf_counter() - began]
        return written(lambda number: create(store, number), first, start, args)


if __name__ == "__main__":
    target, kind, number, start, *args = sys.argv[1:]
    taken = main(target, kind, int(number), float(start), args)
    sys.stdout.buffer.write(msgspec.json.encode(taken) + b"\n")
