"""Metadata: pairs of strings of the caller's own, which a resource carries.

Source: https://docs.stripe.com/api/metadata
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from metering.errors import InvalidRequestError

PAIRS_MAX = 50

Metadata = Annotated[
    Mapping[
        Annotated[str, Meta(max_length=40)],
        Annotated[str, Meta(max_length=500)] | None,
    ],
    Meta(max_length=PAIRS_MAX),
]
"""Keys of 1 to 40 characters, values of up to 500; an empty one removes its key."""


def merge_metadata(
    known: Mapping[str, str], changes: Mapping[str, str | None] | None
) -> dict[str, str]:
    """Return metadata with some pairs added, replaced or removed.

    Args:
        known: what there is.
        changes: pairs, of which an empty value removes its key; None removes them all.

    Raises:
        InvalidRequestError: there are too many pairs.
    """
    merged = {} if changes is None else {**known, **changes}
    kept = {key: value for key, value in sorted(merged.items()) if value}
    if len(kept) > PAIRS_MAX:
        raise InvalidRequestError(
            f"Invalid metadata: {len(kept)} keys; must be at most {PAIRS_MAX}",
            param="metadata",
        )
    return kept
