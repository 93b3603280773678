"""What the everyday path is to show, and the names that tie it to its benchmarks."""

from collections.abc import Iterator
from typing import Final

from bench.report.targets import BARE_INSERT, IMPORTS, ONE_THREAD, Target

IN_BATCHES: Final = "the same events in batches"
ON_THE_HOUR: Final = "a summary that ends on the hour"
OF_FEW: Final = "a page of 100"
THREADS: Final = "64 threads"
DICTS: Final = "bulk ingest of dicts"
BARE_TABLE: Final = "a bare table, as many writers"
RECORDER_THREADS: Final = "a recorder, 100 threads"
SPOOL: Final = "a recorder with a spool"
UNAUDITED: Final = "a worker that audits nothing"

NOW: Final = "everyday: a 30-day summary that ends now"
EDGE: Final = "everyday: the same with an edge inside the hour"
REAGGREGATE: Final = "everyday: reaggregate over single creates"
SQL: Final = "everyday: sql over single creates"
TASKS: Final = "everyday: 64 tasks create"
RECORDER: Final = "everyday: a recorder"
DURING_INGEST: Final = "everyday: creates while another process ingests"
AUDITED: Final = "everyday: creates while a worker audits"
START_IMPORT: Final = "everyday: import metering, processor time"
START_EVENT: Final = "everyday: a process, one event, one summary, processor time"
START_COMMAND: Final = "everyday: metering meters list, processor time"
PAGES: Final = (
    "events of a customer",
    "credit transactions",
    "triggers",
    "deliveries",
    "webhook events",
)


def first_answer_group(database: str, events: str) -> str:
    """Name the group of the first answer of a process."""
    return f"everyday: first answer after {events} single creates, {database}"


def create_group(database: str) -> str:
    """Name the group of one create."""
    return f"everyday: one create, {database}"


def threads_group(database: str) -> str:
    """Name the group of creates from 64 threads."""
    return f"everyday: 64 threads create, {database}"


def page_group(page: str, database: str) -> str:
    """Name the group of a page of ten."""
    return f"everyday: a page of {page}, {database}"


def writers_group(writers: int, pace: str) -> str:
    """Name the group of several processes that write to one SQLite store."""
    return f"everyday: {writers} writers {pace}, SQLite"


def _everyday() -> Iterator[Target]:
    for database in ("SQLite", "PostgreSQL"):
        for events, seconds in (("15,000", 0.2), ("500,000", 3)):
            group = first_answer_group(database, events)
            sentence = f"The first answer of a process comes after {seconds:g} s"
            yield Target(group, seconds, sentence)
            sentence = "It takes at most 3 times as long as after batches"
            yield Target(group, 1 / 3, sentence, against=IN_BATCHES)
        for page in PAGES:
            group = page_group(page, database)
            sentence = "A page of ten of 100,000 takes at most twice one of 100"
            yield Target(group, 0.5, sentence, against=OF_FEW)
            yield Target(group, 5e-3, "It takes at most 5 ms")
        sentence = "One create is at least 0.6 of a bare durable insert"
        yield Target(create_group(database), 0.6, sentence, against=BARE_INSERT)
    sentence = "It takes at most twice one that ends on the hour"
    yield Target(NOW, 0.5, sentence, against=ON_THE_HOUR)
    yield Target(EDGE, 2e-3, "Its p50 is at most 2 ms")
    for group in (REAGGREGATE, SQL):
        sentence = "It takes at most 1.5 times as long as over batches"
        yield Target(group, 1 / 1.5, sentence, against=IN_BATCHES)
    for writers in (2, 4):
        group = writers_group(writers, "back to back")
        sentence = "p99 is at most 3 fair turns"
        yield Target(group, 3, sentence, figure="p99_turns")
        sentence = "The worst is at most 30 fair turns"
        yield Target(group, 30, sentence, figure="worst_turns")
        sentence = "Together they reach 0.25 of a bare table's rate"
        yield Target(group, 0.25, sentence, against=BARE_TABLE)
    for group, times in ((START_IMPORT, 1.3), (START_EVENT, 1.3), (START_COMMAND, 1.8)):
        sentence = f"It takes at most {times:g} times what those imports do"
        yield Target(group, 1 / times, sentence, against=IMPORTS)
    sentence = "64 threads create at least 6 times what one does"
    yield Target(threads_group("SQLite"), 6, sentence, against=ONE_THREAD)
    sentence = "64 tasks create at least 0.9 of what 64 threads do"
    yield Target(TASKS, 0.9, sentence, against=THREADS)
    sentence = "A recorder records at least 0.5 of a bulk ingest of dicts"
    yield Target(RECORDER, 0.5, sentence, against=DICTS)
    sentence = "p99 is at most 100 ms"
    yield Target(DURING_INGEST, 0.1, sentence, figure="p99_seconds")
    sentence = "Appends keep at least 0.9 of their rate while a worker audits"
    yield Target(AUDITED, 0.9, sentence, against=UNAUDITED)


EVERYDAY_TARGETS: Final = tuple(_everyday())
