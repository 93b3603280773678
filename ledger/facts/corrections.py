"""Facts about corrections: events that were wrong, and what stands in their place.

A correction is recorded in one database transaction, at consecutive positions: the fact,
then an adjustment of each event, those that are replaced first, then the replacements in
the same order, as events. So each knows the other by counting.
"""

import msgspec


class CorrectionApplied(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="correction.applied",
):
    """Events were cancelled or replaced, for a reason, by somebody.

    Attributes:
        cancelled: how many events no longer count, replaced ones among them.
        replaced: how many of them have a replacement.
    """

    correction_id: str
    reason: str
    author: str
    cancelled: int
    replaced: int


class CorrectionReverted(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="correction.reverted",
):
    """What a correction changed is as it was: its events count, its replacements do not.

    Behind the fact come the cancellations of `cancelled` replacements, then the `restored`
    events.
    """

    correction_id: str
    reason: str
    author: str
    cancelled: int
    restored: int


CorrectionFact = CorrectionApplied | CorrectionReverted
