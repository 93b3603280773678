"""Head parts: where a request's head ends in what a client sent, and how large it is.

A parser keeps what it is given of a head, and begins a request with each head that is
whole. So it gets a head in small parts, up to its end, and no more than is allowed.
"""

HEAD_MAX = 64 << 10
"""Bytes of a request's line and headers; one read of a socket may exceed it."""
HEADERS_MAX = 128
"""Headers of a request: in memory, one of a few bytes takes thirty times as many."""
_PART_BYTES = 2 << 10
_END = b"\r\n\r\n"
# The request's line, and the blank one behind the headers.
_LINES_MAX = HEADERS_MAX + 2


class HeadParts:
    """The head that a client is sending.

    Attributes:
        is_whole: whether its end has come.
        is_too_large: whether it has more bytes or lines than a head may.
    """

    __slots__ = ("_bytes", "_ending", "_lines", "is_too_large", "is_whole")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Wait for another head."""
        self.is_whole = self.is_too_large = False
        self._bytes = self._lines = 0
        self._ending = b""

    def all_of(self, read: memoryview) -> bytes:
        """Return what was read where it is the head of one small request, and its body.

        Otherwise return nothing, and take it for not read: `next_part` cuts it.
        """
        if self._bytes or len(read) > _PART_BYTES:
            return b""
        part = bytes(read)
        end = part.find(_END)
        if end <= 0 or part.find(_END, end + 1) >= 0:
            return b""
        if part.count(b"\n", 0, end) + 2 > _LINES_MAX:
            return b""
        self.is_whole, self._bytes = True, end
        return part

    def next_part(self, waiting: bytearray) -> bytes:
        """Take the next part of a head from what waits; with its end, all of it has come.

        What of a body came with the end is part of it, unless there is another head.
        """
        if not self._bytes:
            # Blank lines before a request are for nothing (RFC 9112, section 2.2).
            del waiting[: len(waiting) - len(waiting.lstrip(b"\r\n"))]
        part = bytes(waiting[:_PART_BYTES])
        joined, length = self._ending + part, len(part)
        end = joined.find(_END)
        if end >= 0:
            self.is_whole = True
            length = end + len(_END) - len(self._ending)
            if _END in part[length:]:
                part = part[:length]
        self._ending = joined[1 - len(_END) :]
        self._bytes += length
        self._lines += part.count(b"\n", 0, length)
        self.is_too_large = self._bytes > HEAD_MAX or self._lines > _LINES_MAX
        del waiting[: len(part)]
        return part
