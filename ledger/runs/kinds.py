"""What a set of runs needs to know of their kind."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ledger.runs.files import MappedRun, RunColumns

RunT = TypeVar("RunT")


class RunKind(Protocol[RunT]):
    """How runs of one kind are read and merged.

    Attributes:
        name: lower case letters and underscores; the names of files begin with it.
        version: of the fold and the columns; runs of other versions are made again.
        fan_in: how many neighbours are merged into one: few give fewer runs to look
            through, and move what they hold more often.
    """

    name: str
    version: int
    fan_in: int

    def open(self, file: MappedRun) -> RunT:
        """Read a run; keeps views of the file and copies nothing large."""

    def merge(self, runs: Sequence[RunT]) -> RunColumns:
        """Make one run of neighbours, in the order of the log.

        Merging gives what building the whole stretch at once would have given.
        """
