"""What an audit is asked for with."""

import msgspec


class AuditRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass reads.

    Attributes:
        files: whether to read the whole file of each segment, and compare it with what
            was sealed.
    """

    files: bool = False
