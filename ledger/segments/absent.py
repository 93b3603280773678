"""The segment store of a log that was given none: nothing can be sealed or read."""

from typing import NoReturn

from ledger.errors import SegmentStoreUnavailableError


class AbsentStore:
    """No segment store at all, as the databases of tests and small beginnings have."""

    url = ""

    def names(self, prefix: str) -> list[str]:
        """There are none."""
        return []

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        reason = (
            "none was given; connect with segments= a directory or the URL of an object"
            " store, the same for every process"
        )
        raise SegmentStoreUnavailableError("of this log", reason)

    put = open = path = size = remove = sweep = _refuse
