"""Verification: what is stored is what was committed, and projections follow from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from ledger.commits import read_head
from ledger.entries import Commit, Head, genesis_head
from ledger.errors import LogDamagedError, SegmentDamagedError, SegmentStoreError
from ledger.sealing import StepCallback
from ledger.segments.entry import Segment
from ledger.usage.columns import timestamps_of
from ledger.usage.identifiers import identifier_hashes
from ledger.usage.rows import batch_of
from metering.arguments.refusals import invalid
from metering.store.engine import Engine
from projections.alerts.queries import AlertQueries
from projections.credits.queries import CreditQueries, StoredCredits
from projections.kernels.alerts.book import AlertBook
from projections.kernels.credits.grants import CreditAccounts
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.meters.tables import read_definitions
from projections.usage.hourly import HourlyUsage, UsageContents


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A position with its digest, kept elsewhere to prove later that nothing changed.

    Attributes:
        epoch: identity of the log.
        position: the last entry of a commit.
        digest: the hash chain there, in hexadecimal.
    """

    epoch: str
    position: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a verification found.

    Attributes:
        position: of the last entry that was checked.
        commits: how many commits were checked.
        entries: how many entries they hold.
        segments: how many files they lie in, the tail excepted.
        digest: the hash chain's end, in hexadecimal; kept outside the store, it proves
            later that nothing before it changed.
        epoch: identity of the log.
        problems: what is wrong, a sentence each; empty where nothing is.
    """

    position: int
    commits: int
    entries: int
    segments: int
    digest: str
    epoch: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint to keep elsewhere, and to verify against later."""
        return Checkpoint(epoch=self.epoch, position=self.position, digest=self.digest)


def verify(
    engine: Engine, checkpoint: Checkpoint | None, progress: StepCallback | None
) -> VerifyReport:
    """Read the whole log, check its chain, and fold it anew to compare.

    Raises:
        InvalidRequestError: the checkpoint is none.
    """
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        raise invalid("checkpoint", checkpoint, "the checkpoint of a VerifyReport")
    # Read before more is taken in, so that the replay passes this position.
    stored = _stored(engine)
    head, segments = stored.head, engine.log.history.segments()
    fresh = _Replay(checkpoint, segments, stored)
    problems = _problems_of_sealing(head, segments, engine.log.head())
    problems += [p for segment in segments for p in _problems_of_file(engine, segment)]
    try:
        engine.log.catch_up()
        known = engine.usage.contents()
        for commit, reached in engine.log.commits(known.position):
            fresh.take_in(commit, reached)
            if progress is not None:
                progress(reached.position, known.position)
        problems += _problems_of_identifiers(engine, *fresh.identifiers())
    except SegmentDamagedError as error:
        # A file that differs as a whole is named already.
        if not any(error.name in problem for problem in problems):
            problems.append(error.message)
    except (LogDamagedError, SegmentStoreError) as error:
        problems.append(error.message)
    else:
        problems += fresh.problems_with(known)
    return VerifyReport(
        position=fresh.head.position,
        commits=fresh.commits,
        entries=fresh.entries,
        segments=len(segments),
        digest=fresh.head.digest.hex(),
        epoch=head.epoch,
        problems=tuple(dict.fromkeys(problems)),
    )


def _problems_of_sealing(
    before: Head, segments: Sequence[Segment], after: Head
) -> list[str]:
    """Compare the sealed position of the log with the end of its segments."""
    end = segments[-1].up_to if segments else 0
    # Another process may have sealed more between the looks.
    if before.sealed_position <= end <= after.sealed_position:
        return []
    said = f"The log says that it is sealed up to position {after.sealed_position}"
    return [f"{said}, but its segments end at {end}"]


def _problems_of_file(engine: Engine, segment: Segment) -> list[str]:
    """Compare a segment's file with the catalog."""
    try:
        content = engine.log.sealed.reader.content(segment)
    except SegmentStoreError as error:
        return [error.message]
    if hashlib.sha256(content).digest() == segment.sha256:
        return []
    reason = "what is stored is not what was sealed"
    if content.size != segment.byte_count:
        reason = f"{segment.byte_count} bytes were sealed, {content.size} are stored"
    return [SegmentDamagedError(segment.name, reason).message]


def _problems_of_identifiers(
    engine: Engine, positions: np.ndarray, hashes: np.ndarray
) -> list[str]:
    """Compare the known identifiers with those of the segments and of the tail."""
    is_tail_known = engine.log.knows_identifiers_at(positions, hashes)
    of_tail = [] if is_tail_known else ["Identifiers of the tail are not known"]
    return of_tail + [
        f"Identifiers of the segment {segment.name} are not known as they were sealed"
        for segment in engine.log.sealed.segments
        if not engine.log.knows_identifiers_of(segment)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The head of the log and the tables, of one snapshot of the database.

    Attributes:
        head: where the log ended.
        meters: by id.
        credits: or a sentence that says why they cannot be read.
        alerts: with their periods and triggers.
    """

    head: Head
    meters: dict[str, MeterDefinition]
    credits: StoredCredits | str
    alerts: AlertBook


def _stored(engine: Engine) -> _Stored:
    """Read the head and the tables from the database, not from memory."""
    with engine.log.read() as connection:
        credits_stored: StoredCredits | str
        try:
            credits_stored = CreditQueries(connection).stored()
        except (msgspec.DecodeError, ValueError) as error:
            reason = f"The tables of credits cannot be read: {error}; rebuild them"
            credits_stored = reason
        return _Stored(
            head=read_head(connection),
            meters=read_definitions(connection),
            credits=credits_stored,
            alerts=AlertQueries(connection).stored(),
        )


class _Replay:
    """Folds the log anew, and compares with the tables at the position of their snapshot."""

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        segments: Sequence[Segment],
        stored: _Stored,
    ) -> None:
        self.usage = HourlyUsage()
        self.definitions: dict[str, MeterDefinition] = {}
        self.accounts = CreditAccounts()
        self.book = AlertBook()
        self.head = genesis_head(stored.head.epoch)
        self.commits = 0
        self.entries = 0
        self._checkpoint = checkpoint
        self._digest_there: str | None = None
        self._ends = {segment.up_to: segment for segment in segments}
        self._timestamps: list[int] = []
        self._hashes: list[tuple[int, np.ndarray]] = []
        self._mislabelled: list[Segment] = []
        self._stored = stored
        self._of_tables: list[str] = []
        if stored.head.position == 0:
            self._compare_tables()

    def take_in(self, commit: Commit, head: Head) -> None:
        self.usage.take_in(commit)
        if isinstance(commit.content, tuple):
            recorded_at = commit.recorded_at
            for position, fact in enumerate(commit.content, commit.first_position):
                changed = apply_fact(
                    self.definitions, fact, position=position, recorded_at=recorded_at
                )
                if changed is not None:
                    self.definitions[changed.meter_id] = changed
                self.accounts.take_in(fact, position, recorded_at)
                self.book.take_in(fact, position, recorded_at)
        else:
            # Of the tail: those of segments are compared with the segments.
            if commit.first_position > max(self._ends, default=0):
                hashes = identifier_hashes(commit.content)
                self._hashes.append((commit.first_position, hashes))
            timestamps = timestamps_of(batch_of(commit.content))
            self._timestamps += [int(timestamps.min()), int(timestamps.max())]
        self.head = head
        self.commits += 1
        self.entries += commit.entry_count
        if self._checkpoint is not None and self._checkpoint.position == head.position:
            self._digest_there = head.digest.hex()
        if head.position in self._ends:
            self._compare(self._ends[head.position], head)
        if head.position == self._stored.head.position:
            self._compare_tables()

    def identifiers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions (int64) and hashes (uint64) of the tail's identifiers."""
        positions = [np.arange(at, at + len(each)) for at, each in self._hashes]
        return (
            np.concatenate([np.zeros(0, np.int64), *positions]),
            np.concatenate([np.zeros(0, np.uint64), *(h for _, h in self._hashes)]),
        )

    def _compare_tables(self) -> None:
        """Compare the tables and the head with what the log adds up to."""
        stored, book, alerts = self._stored, self.book, self._stored.alerts
        if not self.head.has_entries_of(stored.head):
            self._of_tables.append("The head of the log is not where its commits lead")
        pairs = [
            ("meters", stored.meters, self.definitions),
            ("alerts", alerts.alerts, book.alerts),
            ("alert periods", alerts.periods, book.periods),
            ("alert triggers", alerts.triggers, book.triggers),
        ]
        if isinstance(stored.credits, str):
            self._of_tables.append(stored.credits)
        else:
            accounts, known = self.accounts, stored.credits
            pairs += [
                ("credit grants", known.grants, accounts.grants),
                ("credit applications", known.applications, accounts.applications),
            ]
        self._of_tables += [
            f"The table of {name} is not what the log adds up to"
            for name, known, found in pairs
            if known != found
        ]

    def _compare(self, segment: Segment, head: Head) -> None:
        """Compare the catalog's row of a segment with what the segment held."""
        found = replace(
            segment,
            facts_position=head.facts_position,
            recorded_at=head.recorded_at,
            earliest=min(self._timestamps, default=0),
            latest=max(self._timestamps, default=0),
        )
        if found != segment:
            self._mislabelled.append(segment)
        self._timestamps = []

    def problems_with(self, known: UsageContents) -> list[str]:
        """Return how what is known differs from what the log adds up to."""
        problems = self._checkpoint_problems(self._stored.head.epoch)
        problems += [
            f"What the catalog says of the segment {segment.name} is not what it holds"
            for segment in self._mislabelled
        ]
        if not self.usage.contents().equals(known):
            problems.append("Hourly usage is not what the log adds up to")
        return problems + self._of_tables

    def _checkpoint_problems(self, epoch: str) -> list[str]:
        """Return how the log differs from the one that the checkpoint was saved of."""
        saved = self._checkpoint
        if saved is None:
            return []
        if saved.epoch != epoch:
            return [f"The checkpoint is of another log, with the epoch {saved.epoch}"]
        end = self.head.position
        if saved.position > end:
            problem = (
                f"The log ends at position {end}, but went on to {saved.position} when"
                " the checkpoint was saved: it was truncated, or restored from an older"
                " backup"
            )
        elif saved.position and self._digest_there != saved.digest:
            problem = (
                f"The log up to position {saved.position} is not what it was when the"
                " checkpoint was saved: it was rewritten"
            )
        else:
            return []
        return [problem]
