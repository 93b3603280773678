"""Own the simplest kind of run: the positions of its stretch, and who made it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ledger.runs.files import MappedRun, RunColumns
from ledger.runs.run_set import RunSet
from ledger.segments.entry import Segment


@dataclass(frozen=True)
class Numbers:
    """Positions of one stretch."""

    positions: np.ndarray


@dataclass
class Numbered:
    """A kind of run that notes what it is asked to do."""

    version: int = 1
    fan_in: int = 8
    name: str = "numbers"
    built: list[str] = field(default_factory=list)
    merged: list[int] = field(default_factory=list)

    def open(self, file: MappedRun) -> Numbers:
        return Numbers(file.numbers("position"))

    def build(self, segment: Segment) -> RunColumns:
        self.built.append(segment.name)
        return {"position": np.arange(segment.after + 1, segment.up_to + 1)}

    def merge(self, runs: Sequence[Numbers]) -> RunColumns:
        self.merged.append(len(runs))
        return {"position": np.concatenate([run.positions for run in runs])}


def covered(
    directory: Path, segments: Sequence[Segment], kind: Numbered
) -> list[list[int]]:
    """Cover segments as a process does that has just begun."""
    covering = RunSet(directory, kind).cover(segments, kind.build)
    return [run.positions.tolist() for run in covering]
