"""Own what the tests of runs take for a catalog: segments of any size that tile a log."""

import hashlib
from itertools import accumulate, pairwise

from ledger.segments.entry import Segment


def catalog(*sizes: int, history: str = "one") -> list[Segment]:
    """Segments of some sizes; logs of another history have other digests."""
    return [
        Segment(
            name=f"{after}-{up_to}",
            after=after,
            up_to=up_to,
            rows=up_to - after,
            byte_count=0,
            sha256=bytes(32),
            checksums=bytes(16),
            digest=hashlib.sha256(f"{history} {up_to}".encode()).digest(),
            facts_position=0,
            recorded_at=0,
            earliest=0,
            latest=0,
        )
        for after, up_to in pairwise(accumulate(sizes, initial=0))
    ]
