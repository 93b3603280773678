"""What the log is made of: commits of entries at consecutive positions."""

import enum
from dataclasses import dataclass, field

from ledger.facts.union import Fact
from ledger.usage.rows import Events


class CommitKind(enum.Enum):
    """What the entries of a commit are."""

    USAGE = "usage"
    FACTS = "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the log ends.

    Attributes:
        position: position of the last entry, 0 in an empty log.
        facts_position: position of the last fact, 0 where there is none.
        recorded_at: when the last commit was accepted, microseconds since 1970 UTC.
        digest: hash chain up to and including the last commit.
        epoch: identity of this log; a log restored or made anew has another.
        sealed_position: up to where usage lies in segments, 0 where there is none. It
            says where entries are stored and not which there are.
    """

    position: int
    facts_position: int
    recorded_at: int
    digest: bytes
    epoch: str
    sealed_position: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one append added to the log.

    Attributes:
        first_position: position of the first entry; the others follow without gaps.
        recorded_at: when the log accepted it, microseconds since 1970 UTC, never less
            than that of the commit before.
        content: meter events, or facts.
        content_digest: digest of the content alone.
        digest: hash chain up to and including this commit.
    """

    first_position: int
    recorded_at: int
    content: Events | tuple[Fact, ...]
    content_digest: bytes
    digest: bytes

    @property
    def entry_count(self) -> int:
        """How many positions the commit takes."""
        return len(self.content)

    @property
    def last_position(self) -> int:
        """Position of the last entry."""
        return self.first_position + len(self.content) - 1
