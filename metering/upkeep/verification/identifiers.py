"""Identifiers: this process knows each where it was recorded, so no repetition counts."""

import numpy as np

from ledger.entries import Commit
from ledger.facts.union import FACTS
from ledger.usage.identifiers import identifier_hashes
from metering.store.engine import Engine


class TailIdentifiers:
    """The identifiers after the last segment; those of segments lie in the segments.

    Args:
        after: where the last segment ends.
    """

    def __init__(self, after: int) -> None:
        self._after = after
        self._hashes: list[tuple[int, np.ndarray]] = []

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""
        if commit.first_position > self._after and not isinstance(
            commit.content, FACTS
        ):
            hashes = identifier_hashes(commit.content)
            self._hashes.append((commit.first_position, hashes))

    def problems(self, engine: Engine) -> list[str]:
        """Compare the identifiers that are known with those of tail and segments."""
        positions = [np.arange(at, at + len(each)) for at, each in self._hashes]
        is_tail_known = engine.log.knows_identifiers_at(
            np.concatenate([np.zeros(0, np.int64), *positions]),
            np.concatenate([np.zeros(0, np.uint64), *(h for _, h in self._hashes)]),
        )
        of_tail = [] if is_tail_known else ["Identifiers of the tail are not known"]
        return of_tail + [
            f"Identifiers of the segment {segment.name} are not known as they were"
            " sealed"
            for segment in engine.log.sealed.segments
            if not engine.log.knows_identifiers_of(segment)
        ]
