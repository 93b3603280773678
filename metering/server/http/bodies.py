"""Bodies: how many bytes of requests are in memory, those of all clients together.

Bytes are counted before they are read: by the length that a head gives, or as they come
where it gives none. They are held until the request is answered.
"""

from typing import Self

from metering.errors import InvalidRequestError
from metering.server.api.errors import ServerBusyError
from metering.server.api.requests import BodyLimits

BODY_BYTES_MAX = 320 << 20
"""How many bytes of bodies are in memory at the same time, as they were sent."""
# Bodies of rows leave a part to the small ones, which come far more often.
_ROWS_NUMERATOR, _ROWS_DENOMINATOR = 4, 5


class Bodies:
    """The bodies that are in memory. For one event loop at a time.

    Args:
        bytes_max: how many bytes they may have together.
        largest: the limits of the largest body that there is.

    Raises:
        InvalidRequestError: no body of that size would ever be taken.
    """

    def __init__(self, bytes_max: int, largest: BodyLimits) -> None:
        least = largest.sent_max * _ROWS_DENOMINATOR // _ROWS_NUMERATOR
        if bytes_max < least:
            raise InvalidRequestError(
                f"Invalid body_bytes_max: {bytes_max}; must be at least {least}, or the"
                " largest body would never be taken",
                param="body_bytes_max",
            )
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self._rows_max = bytes_max * _ROWS_NUMERATOR // _ROWS_DENOMINATOR

    def held(self, *, are_rows: bool) -> "HeldBody":
        """Return what a body is counted with while a request is answered."""
        return HeldBody(self, self._rows_max if are_rows else self.bytes_max)


class HeldBody:
    """What a body is counted with, for as long as a with statement takes.

    Attributes:
        bytes: that are counted.
        is_read: whether the body has been read to its end.
    """

    __slots__ = ("_bodies", "_bytes_max", "bytes", "is_read")

    def __init__(self, bodies: Bodies, bytes_max: int) -> None:
        self._bodies = bodies
        self._bytes_max = bytes_max
        self.bytes = 0
        self.is_read = False

    def __enter__(self) -> Self:
        """Begin with no bytes."""
        return self

    def __exit__(self, *_: object) -> None:
        """Count them no more."""
        self._bodies.bytes_held -= self.bytes

    def grow(self, count: int) -> None:
        """Count so many bytes in all; fewer than were counted change nothing.

        Raises:
            ServerBusyError: the bodies of all requests have as many as they may.
        """
        more = count - self.bytes
        if more <= 0:
            return
        if self._bodies.bytes_held + more > self._bytes_max:
            raise ServerBusyError("bodies of other requests fill its memory for them")
        self._bodies.bytes_held += more
        self.bytes = count
