"""Verification: what is stored is what was committed, and projections follow from it."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.entries import Commit, Head
from ledger.errors import LogDamagedError
from metering.engine import Engine
from projections.kernels.definitions import MeterDefinition, apply_fact
from projections.tail import Tail

StepCallback = Callable[[int, int], None]
"""Is called with the position reached and the last position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a verification found.

    Attributes:
        position: of the last entry that was checked.
        commits: how many commits were checked.
        entries: how many entries they hold.
        digest: the hash chain's end, in hexadecimal; kept outside the store, it proves
            later that nothing before it changed.
        problems: what is wrong, a sentence each; empty where nothing is.
    """

    position: int
    commits: int
    entries: int
    digest: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(engine: Engine, progress: StepCallback | None) -> VerifyReport:
    """Read the whole log, check its chain, and fold it anew to compare."""
    head = engine.log.head()
    fresh, problems = _Replay(), list[str]()
    try:
        engine.log.catch_up()
        # What is stored is to be verified, not what is remembered of it.
        engine.catalog.forget()
        known, definitions = engine.tail.contents(), engine.definitions()
        for commit, reached in engine.log.commits(known.position):
            fresh.take_in(commit, reached)
            if progress is not None:
                progress(reached.position, known.position)
    except LogDamagedError as error:
        problems.append(error.message)
    else:
        if not fresh.tail.contents().equals(known):
            problems.append("Hourly usage in memory is not what the log adds up to")
        is_later = definitions.facts_position > known.position
        if not is_later and fresh.definitions != definitions.by_id:
            problems.append("The table of meters is not what the log adds up to")
        if known.position == head.position and fresh.head not in (None, head):
            problems.append("The head of the log is not where its commits lead")
    return VerifyReport(
        position=fresh.head.position if fresh.head else 0,
        commits=fresh.commits,
        entries=fresh.entries,
        digest=(fresh.head or head).digest.hex(),
        problems=tuple(problems),
    )


class _Replay:
    """The log, folded anew."""

    def __init__(self) -> None:
        self.tail = Tail()
        self.definitions: dict[str, MeterDefinition] = {}
        self.head: Head | None = None
        self.commits = 0
        self.entries = 0

    def take_in(self, commit: Commit, head: Head) -> None:
        self.tail.take_in(commit)
        if isinstance(commit.content, tuple):
            for position, fact in enumerate(commit.content, commit.first_position):
                changed = apply_fact(
                    self.definitions,
                    fact,
                    position=position,
                    recorded_at=commit.recorded_at,
                )
                if changed is not None:
                    self.definitions[changed.meter_id] = changed
        self.head = head
        self.commits += 1
        self.entries += commit.entry_count
