"""Kept passages: small commits of the tail as columns, so that each is decoded once.

A process that opens a store would decode every small commit of the tail again, and so
would each scan of events. Every few thousand positions, what a process has taken in is
written to a file beside the runs, as one passage. It is checked when it was made, as
all commits are. Whoever maps it later compares the checksum of the file, and the digest
of its last commit with that of the log: where they differ, the rows are read. The rows
themselves are not read again until somebody asks for one of them, seals or verifies.

A file names the stretch of the log that it holds, begins and ends where every process
lets it, and replaces an equal one: processes that write at once do not mix anything up.
What cannot be written is kept in memory.
"""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.background import BackgroundLoops, Backoff
from ledger.commits import commit_holding, commits_between
from ledger.entries import (
    BYTES_AT_MOST,
    SPAN,
    Commit,
    Head,
    Passage,
    in_passages,
    joined,
    may_be_part,
)
from ledger.errors import RunsDirectoryError
from ledger.facts.union import decode_facts, encode_facts
from ledger.reading import decode_commit, read_commits
from ledger.runs.building import building
from ledger.runs.files import (
    MappedRun,
    RunColumns,
    RunIdentity,
    files_of,
    identity_of,
    open_run,
    remove,
    runs_in,
    unfinished_in,
    write_run,
)
from ledger.segments.reader import SegmentReader
from ledger.usage.columns import USAGE, strings_of

_KIND = "passage"
_VERSION = 1
# Fewer are decoded as fast as a file is opened.
_COMMITS_WORTH_KEEPING = 512
# Made columns at once, so that no append waits for thousands of others.
_COMMITS_TOGETHER = 256

_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0)

_LOG = logging.getLogger(__name__)


class _Kept(msgspec.Struct, frozen=True):
    passage: Passage
    head: Head


class KeptPassages:
    """The small commits of one log's tail, as far as they are kept. Thread-safe.

    Args:
        directory: for runs of this log; None keeps them in memory.
        reader: reads segments.
        background: is told whether they can be kept.
    """

    def __init__(
        self,
        directory: Path | None,
        reader: SegmentReader,
        background: BackgroundLoops,
    ) -> None:
        self._keeping = background.begin(
            "keeping",
            _BACKOFF,
            complain="What is decoded of the tail is kept in memory",
            logger=_LOG,
        )
        self._directory = directory
        self._reader = reader
        self._lock = threading.RLock()
        self._after = 0
        self._kept: list[_Kept] = []
        self._waiting: list[tuple[Commit | Passage, Head]] = []
        self._passages_waiting = 0
        """How many of them, from the first on, were put together."""
        self._waiting_bytes = 0

    def restart(self, after: int) -> None:
        """Forget everything, and begin after a position; files stay."""
        with self._lock:
            self._after = after
            self._kept = []
            self._forget_waiting()

    def clear(self) -> None:
        """Forget everything, and remove the files.

        Raises:
            RunsDirectoryError: one of them cannot be removed.
        """
        with self._lock:
            self._kept = []
            self._forget_waiting()
            if self._directory is not None:
                remove(self._directory, runs_in(self._directory, _KIND))

    # Reading.

    def read(
        self, connection: Connection, after: Head, up_to: int
    ) -> Iterator[tuple[Commit | Passage, Head]]:
        """Read what follows a head, in order, each part with the head that it makes.

        What is kept is not read from the log; all else is, as by `read_commits`.

        Args:
            connection: sees the log.
            after: where the last part that was taken in ends.
            up_to: the last position to read.

        Raises:
            LogDamagedError: what is read is not what was committed.
        """
        head = after
        if up_to - after.position >= _COMMITS_WORTH_KEEPING:
            for kept in self._files(connection, after, up_to):
                passage = kept.passage
                if passage.last_position <= head.position:
                    continue
                if passage.first_position > head.position + 1:
                    yield from self._rows(connection, head, passage.first_position - 1)
                else:
                    passage = passage.after(head.position)
                head = kept.head
                with self._lock:
                    self._forget_waiting()
                    self._kept.append(_without_facts(_Kept(passage, head)))
                yield passage, head
        yield from self._rows(connection, head, up_to)

    def kept(self) -> list[Passage]:
        """Return what is kept, in the order of the log, without facts."""
        with self._lock:
            return [kept.passage for kept in self._kept]

    def tail(
        self, connection: Connection, after: int, up_to: int
    ) -> Iterator[Commit | Passage]:
        """Read the commits that begin after a position and up to another, in order.

        The last passage may go further. Facts are left out of what is kept.
        """
        with self._lock:
            if len(self._waiting) > 1:
                # Put together once, however often it is asked for.
                self._put_together(since=0)
            known = [kept.passage for kept in self._kept]
            known += [p for p, _ in self._waiting if isinstance(p, Passage)]
        position = after
        for passage in known:
            if passage.first_position > up_to:
                break
            if passage.last_position > position:
                end = passage.first_position - 1
                yield from _stored(connection, position, end)
                yield passage.after(position)
                position = passage.last_position
        yield from _stored(connection, position, up_to)

    def _rows(
        self, connection: Connection, after: Head, up_to: int
    ) -> Iterator[tuple[Commit | Passage, Head]]:
        return in_passages(read_commits(connection, after, up_to, (), self._reader))

    def _files(self, connection: Connection, after: Head, up_to: int) -> list[_Kept]:
        """Map the files that hold what the log holds, in its order."""
        if self._directory is None:
            return []
        is_row = after.position > after.sealed_position
        if is_row and _digest_at(connection, after.position) != after.digest:
            # The log went another way than this process: rows say where they part.
            return []
        found = []
        for path in self._readable():
            identity = identity_of(path.name)
            if (
                identity is None
                or identity.version != _VERSION
                or not after.position < identity.up_to <= up_to
            ):
                continue
            digest = _digest_at(connection, identity.up_to)
            run = open_run(path) if digest.startswith(identity.digest) else None
            if run is not None:
                kept = _kept_in(run, after)
                if kept.head.digest == digest:
                    found.append(kept)
        # Of those that begin together, the longest.
        return sorted(
            found,
            key=lambda kept: (kept.passage.first_position, -kept.head.position),
        )

    def _readable(self) -> list[Path]:
        """List the files, none where the directory cannot be read: rows are."""
        assert self._directory is not None, "there is a directory"
        try:
            return runs_in(self._directory, _KIND)
        except RunsDirectoryError as error:
            self._keeping.failed(error)
            return []

    # Keeping.

    def take_in(self, part: Commit | Passage, head: Head) -> None:
        """Keep what was made or read next, unless it is kept already."""
        with self._lock:
            if self._kept and head.position <= self._kept[-1].head.position:
                return
            is_small = isinstance(part, Passage) or may_be_part(part)
            if self._waiting and not (is_small and self._goes_on(part)):
                self._keep()
            if is_small:
                self._waiting.append((part, head))
                if len(self._waiting) - self._passages_waiting >= _COMMITS_TOGETHER:
                    self._put_together(since=self._passages_waiting)
                self._waiting_bytes += part.content_bytes
                if self._waiting_bytes > BYTES_AT_MOST:
                    self._keep()

    def flush(self) -> None:
        """Keep what was taken in so far, if it is worth a file."""
        with self._lock:
            self._keep()

    def _goes_on(self, part: Commit | Passage) -> bool:
        """Whether a part follows what waits, and is of its span."""
        first, reached = self._waiting[0][0].first_position, self._waiting[-1][1]
        return (
            part.first_position == reached.position + 1
            and part.first_position // SPAN == first // SPAN
        )

    def _put_together(self, since: int) -> None:
        parts = [part for part, _ in self._waiting[since:]]
        self._waiting[since:] = [(joined(parts), self._waiting[-1][1])]
        self._passages_waiting = len(self._waiting)

    def _forget_waiting(self) -> None:
        self._waiting, self._passages_waiting, self._waiting_bytes = [], 0, 0

    def _keep(self) -> None:
        waiting = self._waiting
        self._forget_waiting()
        commits = sum(
            part.commit_count if isinstance(part, Passage) else 1 for part, _ in waiting
        )
        if commits >= _COMMITS_WORTH_KEEPING:
            passage, head = joined([part for part, _ in waiting]), waiting[-1][1]
            self._kept.append(_without_facts(self._written(passage, head)))

    def _written(self, passage: Passage, head: Head) -> _Kept:
        if self._directory is None or self._keeping.must_wait:
            return _Kept(passage, head)
        identity = RunIdentity.of(
            _KIND, _VERSION, passage.first_position - 1, head.position, head.digest
        )
        try:
            for path in files_of(self._directory, identity):
                # Another process was faster.
                run = open_run(path)
                if run is not None and _kept_in(run, head).head.digest == head.digest:
                    return _kept_in(run, head)
            with building(self._directory, _KIND, patience=0) as is_alone:
                run = write_run(self._directory, identity, _columns(passage, head))
                if is_alone:
                    self._sweep(run)
        except RunsDirectoryError as error:
            self._keeping.failed(error)
            return _Kept(passage, head)
        self._keeping.succeeded()
        return _kept_in(run, head)

    def _sweep(self, written: MappedRun) -> None:
        """Remove files that no process needs beside one that was written."""
        assert self._directory is not None, "it was written there"
        unneeded = [
            path
            for path in runs_in(self._directory, _KIND)
            if path != written.path and self._is_unneeded(path, written.identity)
        ]
        unneeded += unfinished_in(self._directory, _KIND)
        remove(self._directory, unneeded)

    def _is_unneeded(self, path: Path, written: RunIdentity) -> bool:
        identity = identity_of(path.name)
        return (
            identity is None
            or identity.version < _VERSION
            or identity.up_to <= self._after
            or (written.after <= identity.after and identity.up_to <= written.up_to)
        )


def _without_facts(kept: _Kept) -> _Kept:
    # They are taken in once; scans want events alone.
    return _Kept(msgspec.structs.replace(kept.passage, facts=()), kept.head)


def _stored(
    connection: Connection, after: int, up_to: int
) -> Iterator[Commit | Passage]:
    commits = map(decode_commit, commits_between(connection, after, up_to))
    for part, _ in in_passages((commit, None) for commit in commits):
        yield part


def _digest_at(connection: Connection, position: int) -> bytes:
    """Return the digest of the commit that ends at a position; empty without one."""
    row = commit_holding(connection, position)
    if row is None or row.first_position + row.entry_count - 1 != position:
        return b""
    return bytes(row.digest)


def _columns(passage: Passage, head: Head) -> RunColumns:
    """Return a passage, and the head that it makes, as the columns of a run."""
    facts = passage.facts
    return {
        "digest": np.frombuffer(head.digest, np.uint8),
        "numbers": np.array(
            [passage.commit_count, head.facts_position, head.recorded_at], np.int64
        ),
        "first_position": passage.first_positions,
        "entry_count": passage.entry_counts,
        "recorded_at": passage.recorded_at,
        "fact_position": np.array([position for position, _, _ in facts], np.int64),
        "fact_recorded_at": np.array([at for _, at, _ in facts], np.int64),
        "fact": strings_of([encode_facts([fact]).decode() for _, _, fact in facts]),
        **dict(zip(USAGE.names, passage.events.columns, strict=True)),
    }


def _kept_in(run: MappedRun, known: Head) -> _Kept:
    """Return the passage in a run of the log of a head."""
    commit_count, facts_position, recorded_at = run.numbers("numbers").tolist()
    facts = zip(
        run.numbers("fact_position").tolist(),
        run.numbers("fact_recorded_at").tolist(),
        run.array("fact").to_pylist(),
        strict=True,
    )
    passage = Passage(
        first_position=run.identity.after + 1,
        last_position=run.identity.up_to,
        commit_count=commit_count,
        first_positions=run.numbers("first_position"),
        entry_counts=run.numbers("entry_count"),
        recorded_at=run.numbers("recorded_at"),
        events=pa.RecordBatch.from_arrays(
            [run.array(name) for name in USAGE.names], schema=USAGE
        ),
        facts=tuple(
            (position, at, fact)
            for position, at, body in facts
            for fact in decode_facts(body.encode())
        ),
    )
    return _Kept(
        passage,
        Head(
            position=run.identity.up_to,
            facts_position=facts_position,
            recorded_at=recorded_at,
            digest=run.numbers("digest").tobytes(),
            epoch=known.epoch,
            sealed_position=known.sealed_position,
        ),
    )
