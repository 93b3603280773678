"""Corrections: what the facts about one add up to."""

from dataclasses import dataclass, replace

from ledger.facts.corrections import CorrectionApplied, CorrectionReverted


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRecord:
    """A correction at some position of the log.

    Attributes:
        position: of the fact; what it changed follows, see `ledger.facts.corrections`.
        reason, author, cancelled, replaced: see there.
        created: microseconds since 1970 UTC.
        reverted_position: of the fact that reverted it; None while it stands.
        reverted_reason: why.
        reverted_by: who did.
        reverted_at: when.
    """

    position: int
    correction_id: str
    reason: str
    author: str
    cancelled: int
    replaced: int
    created: int
    reverted_position: int | None = None
    reverted_reason: str | None = None
    reverted_by: str | None = None
    reverted_at: int | None = None

    @property
    def first_replacement(self) -> int:
        """Position of the first replacement, if there is one."""
        return self.position + self.cancelled + 1

    @property
    def last_position(self) -> int:
        """Position of the last entry that it recorded."""
        return self.position + self.cancelled + self.replaced

    def replacement_of(self, cancellation: int) -> int | None:
        """Return the position of the event in place of one, given its cancellation."""
        is_replaced = 0 < cancellation - self.position <= self.replaced
        return cancellation + self.cancelled if is_replaced else None

    def cancellation_for(self, replacement: int) -> int | None:
        """Return the position of the cancellation of what an event stands in place of."""
        is_it = self.first_replacement <= replacement <= self.last_position
        return replacement - self.cancelled if is_it else None


def correction_applied(
    fact: CorrectionApplied, position: int, recorded_at: int
) -> CorrectionRecord:
    """Return a correction as it was applied."""
    return CorrectionRecord(
        position=position,
        correction_id=fact.correction_id,
        reason=fact.reason,
        author=fact.author,
        cancelled=fact.cancelled,
        replaced=fact.replaced,
        created=recorded_at,
    )


def correction_reverted(
    known: CorrectionRecord, fact: CorrectionReverted, position: int, recorded_at: int
) -> CorrectionRecord:
    """Return a correction as it is after it was reverted."""
    return replace(
        known,
        reverted_position=position,
        reverted_reason=fact.reason,
        reverted_by=fact.author,
        reverted_at=recorded_at,
    )
