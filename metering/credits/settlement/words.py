"""A column of strings that are alike: the different ones, and a number for each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

WordT = TypeVar("WordT", bound=str | None)


@dataclass(frozen=True, slots=True)
class CodedWords(Generic[WordT]):
    """A column of strings.

    Attributes:
        names: the different ones; more than one may be the same.
        codes: the index of each row's among them (int64).
    """

    names: Sequence[WordT]
    codes: np.ndarray

    @classmethod
    def of(cls, words: Sequence[WordT]) -> "CodedWords[WordT]":
        """Make a column of strings in their order."""
        numbers: dict[WordT, int] = {}
        codes = [numbers.setdefault(word, len(numbers)) for word in words]
        return cls(list(numbers), np.array(codes, np.int64))

    def __getitem__(self, row: int) -> WordT:
        """Return the string of one row."""
        return self.names[int(self.codes[row])]

    def at(self, rows: np.ndarray | slice) -> list[WordT]:
        """Return the strings of some rows."""
        names = np.empty(len(self.names), object)
        names[:] = self.names
        picked: list[WordT] = names[self.codes[rows]].tolist()
        return picked

    def take(self, rows: np.ndarray) -> pa.Array:
        """Return the strings of some rows, as Arrow has them."""
        return pa.array(self.names, pa.string()).take(pa.array(self.codes[rows]))
