"""The segment store of a log that was given none: nothing can be sealed or read."""

from typing import NoReturn

import pyarrow as pa

from ledger.errors import SegmentStoreUnavailableError


class AbsentStore:
    """No segment store at all, as the databases of tests and small beginnings have."""

    url = ""

    def put(self, name: str, content: pa.Buffer) -> None:
        """Refuse."""
        self._refuse()

    def open(self, name: str) -> pa.NativeFile:
        """Refuse."""
        self._refuse()

    def path(self, name: str) -> str | None:
        """Refuse."""
        self._refuse()

    def size(self, name: str) -> int | None:
        """Refuse."""
        self._refuse()

    def names(self, prefix: str) -> list[str]:
        """There are none."""
        return []

    def remove(self, name: str) -> None:
        """Refuse."""
        self._refuse()

    def sweep(self) -> None:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        reason = (
            "none was given; connect with segments= a directory or the URL of an object"
            " store, the same for every process"
        )
        raise SegmentStoreUnavailableError("of this log", reason)
