"""Problems: what verification says of a table, or of a row, that is not what it should be.

Each is one sentence, which ends with what cures it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row is, or should be.

    Attributes:
        table: its name.
        key: what identifies the row there, by column.
    """

    table: str
    key: Mapping[str, object]

    def missing(self, cure: str) -> str:
        """Say that there is no such row."""
        return f"In table {self.table}, the row with {self._key()} is missing; {cure}"

    def unfounded(self, cure: str) -> str:
        """Say that there should be no such row."""
        row = f"the row with {self._key()}"
        return f"In table {self.table}, {row} follows from nothing in the log; {cure}"

    def problem(self, what: str, cure: str, column: str | None = None) -> str:
        """Say what is wrong with the row, or with a column of it."""
        place = f"In table {self.table}, row {self._key()}"
        if column is not None:
            place = f"{place}, column {column}"
        return f"{place}: {what}; {cure}"

    def _key(self) -> str:
        return ", ".join(f"{name} = {value!r:.60}" for name, value in self.key.items())


def part_is_missing(table: str, part: str, cure: str) -> str:
    """Say that a part of a table is missing, such as ``column name``; or the ``table``."""
    name = f"Table {table}" if part == "table" else f"The {part} of table {table}"
    return f"{name} is missing; {cure}"
