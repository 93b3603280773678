"""How one commit follows another: its positions, its time, its place in the hash chain.

A commit's digest covers the digest before it, its positions, when and as what it was
recorded, and the digest of its content: SHA-256 over all, so that nothing before a
digest that somebody kept can change unseen.
"""

import hashlib
import struct

from ledger.entries import Commit, CommitKind, Head
from ledger.facts.union import Fact
from ledger.usage.rows import Events


def genesis_digest(epoch: str) -> bytes:
    """Digest of the empty log of an epoch."""
    return hashlib.sha256(b"metering log 1\n" + epoch.encode()).digest()


def chain_digest(
    previous: bytes,
    *,
    first_position: int,
    entry_count: int,
    recorded_at: int,
    kind: CommitKind,
    content: bytes,
) -> bytes:
    """Digest of a commit, given the digest before it and the digest of its content."""
    numbers = struct.pack("<qqq", first_position, entry_count, recorded_at)
    return hashlib.sha256(
        previous + numbers + kind.value.encode().ljust(8) + content
    ).digest()


def genesis_head(epoch: str) -> Head:
    """Head of the empty log of an epoch."""
    return Head(
        position=0,
        facts_position=0,
        recorded_at=0,
        digest=genesis_digest(epoch),
        epoch=epoch,
        sealed_position=0,
    )


def recording_instant(known: Head, now: int) -> int:
    """Tell when a commit that follows a head is recorded, given the time."""
    # A clock that steps back must not reopen what was decided by time.
    return max(now, known.recorded_at)


def next_commit(
    known: Head,
    content: Events | tuple[Fact, ...],
    kind: CommitKind,
    content_digest: bytes,
    now: int,
) -> tuple[Commit, Head]:
    """Make the commit that follows a head, and the head that it makes.

    Args:
        known: where the log ends.
        content: what the commit holds.
        kind: what that is.
        content_digest: digest of the content.
        now: the time, microseconds since 1970 UTC; the commit is never recorded before
            the one it follows.
    """
    recorded_at = recording_instant(known, now)
    first_position = known.position + 1
    last_position = known.position + len(content)
    digest = chain_digest(
        known.digest,
        first_position=first_position,
        entry_count=len(content),
        recorded_at=recorded_at,
        kind=kind,
        content=content_digest,
    )
    is_facts = kind is CommitKind.FACTS
    return (
        Commit(
            first_position=first_position,
            recorded_at=recorded_at,
            content=content,
            content_digest=content_digest,
            digest=digest,
        ),
        Head(
            position=last_position,
            facts_position=last_position if is_facts else known.facts_position,
            recorded_at=recorded_at,
            digest=digest,
            epoch=known.epoch,
            sealed_position=known.sealed_position,
        ),
    )
