"""Names of files in a segment store, which come from a database and are not trusted."""

import re

from ledger.errors import SegmentDamagedError

# No separator and no leading dot, so that no name leads out of the store or to what
# puts begin; short enough for what they add to it.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


def is_name(name: str) -> bool:
    """Whether a file of a segment store can have a name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Refuse a name that no file of a segment store has.

    Raises:
        SegmentDamagedError: the name was made up.
    """
    if not is_name(name):
        reason = "a segment has a name of at most 200 letters, digits, . _ and -"
        raise SegmentDamagedError(repr(name), reason)
