"""Own what a door is: a way in, of which the table knows nothing but this."""

from typing import Any, Protocol

from tests.metering.doors.place import Place
from tests.metering.doors.sending import Sending, Taken
from tests.metering.doors.writing import CannotWriteError


class Door(Protocol):
    """One way in which usage comes."""

    @property
    def name(self) -> str:
        """What it is called in the table."""

    def write(self, event_name: str, sending: Sending) -> Any:
        """Write events as this door takes them, without sending them.

        Args:
            event_name: of those that have no other.
            sending: the events, and how they are sent.

        Raises:
            CannotWriteError: this door has no way of saying it; the message says why.
        """

    def send(self, place: Place, sending: Sending, written: Any) -> Taken:
        """Hand over what was written."""


def refuse_headers(sending: Sending) -> None:
    """Say that a door is no HTTP."""
    if sending.headers:
        reason = "only HTTP has headers"
        raise CannotWriteError(reason)


def refuse_wire(sending: Sending) -> None:
    """Say that what a door takes is no text."""
    if sending.wire is not None:
        reason = "what it takes is not text, and is compressed by itself or not at all"
        raise CannotWriteError(reason)


def refuse_options(sending: Sending) -> None:
    """Say that a door takes events as they are, without options or columns."""
    if sending.columns or sending.written:
        reason = "its events have no columns"
        raise CannotWriteError(reason)
    if sending.options.keys() - {"backfill"}:
        reason = f"it takes no {', '.join(sorted(sending.options))}"
        raise CannotWriteError(reason)
    if sending.options.get("backfill"):
        reason = "it takes events of the last 35 days alone"
        raise CannotWriteError(reason)


def packed(sending: Sending, content: bytes) -> bytes:
    """Return the bytes that go over the wire."""
    return content if sending.wire is None else sending.wire.pack(content)
