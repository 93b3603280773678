"""Errors that callers meet, with the codes that Stripe's clients know.

MeteringError                    root of all, also of the log's own (`StoreError` …)
├── InvalidRequestError          an argument breaks a rule; `param` says which
│   ├── ResourceMissingError     nothing has the id or identifier that was given
│   ├── MeterEventInvalidError   a meter event was refused; its identifier stays free
│   │   ├── NoMeterError         no meter has its event name
│   │   ├── ValueMissingError    its payload lacks the meter's value key
│   │   ├── ValueTooLargeError   its value has too many integer digits
│   │   └── TimestampOutOfRangeError
│   ├── IdentifierConflictError  the identifier belongs to an event of other content
│   ├── InvoiceConflictError     the invoice was settled with other content
│   ├── StatementConflictError   the id belongs to a statement of something else
│   ├── MeterConflictError       the meter of the event name measures otherwise
│   └── TestClockAdvancingError  the customer's test clock is being moved on
├── SourceError                  what was to be ingested cannot be read
│   └── SourceTooLargeError      it asks for more memory or work than it may
├── RecorderFullError            a recorder holds as many events as it may
├── RecorderClosedError          a recorder was used after it had been closed
└── EventsUnrecordedError        a recorder was closed, and could not write its events
"""

import reprlib
from collections.abc import Sequence
from datetime import datetime

from ledger.errors import MeteringError

_SHOWN_MAX = 60


class InvalidRequestError(MeteringError):
    """An argument breaks a rule. Nothing was recorded."""

    code = "parameter_invalid"


class ResourceMissingError(InvalidRequestError):
    """Nothing has the id or identifier that was given."""

    code = "resource_missing"

    def __init__(self, kind: str, key: object, *, param: str = "id") -> None:
        super().__init__(f"No such {kind}: {shown(key)}", param=param)
        self.key = key


class MeterEventInvalidError(InvalidRequestError):
    """A meter event was refused. Its identifier stays free for a corrected one."""

    code = "meter_event_invalid"


class NoMeterError(MeterEventInvalidError):
    """No meter has the event name.

    Attributes:
        event_name: the name that was given.
    """

    code = "no_meter"

    def __init__(self, event_name: str) -> None:
        super().__init__(
            f"No active meter found for event name {event_name!r}", param="event_name"
        )
        self.event_name = event_name


class ValueMissingError(MeterEventInvalidError):
    """The payload lacks the key that holds the meter's value."""

    code = "meter_event_invalid_value"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Value key {key} not found in payload", param=f"payload[{key}]"
        )


class ValueTooLargeError(MeterEventInvalidError):
    """The value has more integer digits than a value may have.

    Attributes:
        digits: how many it has.
    """

    code = "meter_event_invalid_value"

    def __init__(self, key: str, text: str, digits: int, most: int) -> None:
        super().__init__(
            f"Invalid value {text[:60]!r}: it has {digits} integer digits, and at most"
            f" {most} are recorded; measure in a larger unit",
            param=f"payload[{key}]",
        )
        self.digits = digits


class TimestampOutOfRangeError(MeterEventInvalidError):
    """The timestamp is too far in the past or in the future.

    Attributes:
        rule: what is expected, a sentence that ends before the bound.
        bound: the earliest or latest timestamp that is accepted.
        is_too_early: whether the bound is the earliest.
    """

    def __init__(self, rule: str, bound: datetime, *, is_too_early: bool) -> None:
        code = "timestamp_too_far_in_past" if is_too_early else "timestamp_in_future"
        message = f"{rule} {bound.isoformat()}"
        super().__init__(message, code=code, param="timestamp")
        self.rule = rule
        self.bound = bound
        self.is_too_early = is_too_early


class IdentifierConflictError(InvalidRequestError):
    """The identifier belongs to an event of other content, recorded before.

    Attributes:
        identifier: what both were given.
        fields: in what they differ: customer, timestamp, value or payload.
        position: that of the event recorded before.
    """

    code = "identifier_conflict"

    def __init__(self, identifier: str, fields: Sequence[str], position: int) -> None:
        super().__init__(
            conflict_message(identifier, fields, position), param="identifier"
        )
        self.identifier = identifier
        self.fields = tuple(fields)
        self.position = position


class InvoiceConflictError(InvalidRequestError):
    """Credits were applied to the invoice before, with other content.

    Attributes:
        invoice: its id.
        fields: in what they differ: customer, period_end or lines.
    """

    code = "invoice_conflict"

    def __init__(self, invoice: str, fields: Sequence[str]) -> None:
        cure = "replace it, or send other content under another id"
        if "customer" in fields:
            cure = "reinstate it and send other content under another id"
        super().__init__(
            f"Credits were applied to invoice {invoice} already, and it differs in"
            f" {', '.join(fields)}; {cure}",
            param="invoice",
        )
        self.invoice = invoice
        self.fields = tuple(fields)


class TestClockAdvancingError(InvalidRequestError):
    """The test clock of a customer is being moved on; send it again when it is ready.

    Attributes:
        test_clock: id of the clock.
    """

    code = "test_clock_advancing"

    def __init__(self, test_clock: str) -> None:
        super().__init__(
            "Test clock advancement underway - cannot perform modifications:"
            f" {test_clock}"
        )
        self.test_clock = test_clock


class MeterConflictError(InvalidRequestError):
    """The event name has a meter, which measures otherwise.

    Attributes:
        meter: its id.
        fields: in which parameters they differ, such as ``event_time_window``.
    """

    code = "resource_already_exists"

    def __init__(self, meter: str, event_name: str, fields: Sequence[str]) -> None:
        super().__init__(
            f"Meter {meter} for event name {event_name!r} exists already, and differs in"
            f" {', '.join(fields)}; a meter cannot change, so give another event name",
            param=fields[0],
        )
        self.meter = meter
        self.fields = tuple(fields)


class StatementConflictError(InvalidRequestError):
    """The id belongs to a statement that was made of something else.

    Attributes:
        statement: its id.
        fields: in which parameters they differ, such as ``end_time``.
    """

    code = "statement_conflict"

    def __init__(self, statement: str, fields: Sequence[str]) -> None:
        super().__init__(
            f"Statement {statement} was finalized already, and differs in"
            f" {', '.join(fields)}; state other usage under another id",
            param="id",
        )
        self.statement = statement
        self.fields = tuple(fields)


class SourceError(MeteringError):
    """What was to be ingested cannot be read, or lacks what every event needs."""

    code = "source_invalid"


class SourceTooLargeError(SourceError):
    """What was to be ingested asks for more memory or work than it may.

    Attributes:
        most: how much it may ask for.
    """

    code = "source_too_large"

    def __init__(self, name: object, found: str, most: int, cure: str) -> None:
        super().__init__(
            f"Cannot read {name}: it has {found}; must be at most {most}; {cure}"
        )
        self.most = most


class RecorderFullError(MeteringError):
    """A recorder holds as many events as it may. The event was not recorded."""

    code = "recorder_full"

    def __init__(self, max_events: int) -> None:
        super().__init__(
            f"The recorder holds {max_events} events that are not in the store yet, as"
            " many as it may; record the event again, or let the recorder block"
        )
        self.max_events = max_events


class RecorderClosedError(MeteringError):
    """A recorder was used after it had been closed. The event was not recorded."""

    code = "recorder_closed"

    def __init__(self) -> None:
        super().__init__("The recorder is closed; record with another one")


class EventsUnrecordedError(MeteringError):
    """A recorder was closed, and its last events could not be written to the store.

    Attributes:
        count: how many they are.
        reason: what kept them from being written.
    """

    code = "events_unrecorded"

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(
            f"The recorder is closed, and {count} events could not be written to the"
            f" store: {reason}; they are among `unrecorded`, create them again with"
            " their identifiers"
        )
        self.count = count
        self.reason = reason


def conflict_message(identifier: str, fields: Sequence[str], position: int) -> str:
    """Return the message of a conflict, with the fields that differ."""
    return (
        f"An event already exists with identifier {identifier} at position {position},"
        f" and differs in {', '.join(fields)}; send other usage under another"
        " identifier"
    )


class _Shown(reprlib.Repr):
    """Writes values as Python does, and little of those that are long or deep."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlong = self.maxother = _SHOWN_MAX

    def repr_int(self, x: int, level: int) -> str:
        """Write an integer: Python refuses those of thousands of digits."""
        if x.bit_length() > 4 * _SHOWN_MAX:
            return f"an integer of {x.bit_length()} bits"
        return super().repr_int(x, level)

    def repr_str(self, x: str, level: int) -> str:
        """Write the beginning of a string."""
        del level
        return repr(x[:_SHOWN_MAX])


_SHOWN = _Shown()


def shown(value: object) -> str:
    """Return a value as a message shows it: as Python writes it, in 60 characters."""
    return _SHOWN.repr(value)[:_SHOWN_MAX]
