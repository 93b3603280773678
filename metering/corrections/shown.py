"""Corrections as resources."""

from metering.arguments.clock import at_microseconds, at_or_none
from metering.corrections.resources import Correction
from projections.kernels.corrections import CorrectionRecord


def correction_resource(known: CorrectionRecord, *, livemode: bool) -> Correction:
    """Return a correction as a resource."""
    return Correction(
        id=known.correction_id,
        author=known.author,
        cancelled=known.cancelled,
        created=at_microseconds(known.created),
        last_position=known.last_position,
        livemode=livemode,
        position=known.position,
        reason=known.reason,
        replaced=known.replaced,
        reverted_at=at_or_none(known.reverted_at),
        reverted_by=known.reverted_by or None,
        reverted_reason=known.reverted_reason or None,
        status="applied" if known.reverted_position is None else "reverted",
    )
