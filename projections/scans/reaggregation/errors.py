"""Errors of re-aggregation.

MeteringError
└── ReaggregationError
    ├── SummaryTooLargeError
    └── ValueUnreadableError
"""

from ledger.errors import MeteringError
from ledger.usage.quantities import FRACTION_DIGITS, STORED_INTEGER_DIGITS


class ReaggregationError(MeteringError):
    """The events give no answer to the question."""

    code = "reaggregation_error"


class SummaryTooLargeError(ReaggregationError):
    """A sum has more digits than a value can have.

    Attributes:
        meter_id: the meter.
        customer: the customer.
    """

    code = "summary_too_large"

    def __init__(self, meter_id: str, customer: str) -> None:
        super().__init__(
            f"The usage of customer {customer!r} on meter {meter_id} adds up to more"
            f" than {STORED_INTEGER_DIGITS} integer and {FRACTION_DIGITS} fraction digits can"
            " say; ask for shorter windows"
        )
        self.meter_id = meter_id
        self.customer = customer

    def __reduce__(self) -> tuple[type["SummaryTooLargeError"], tuple[str, str]]:
        """Pickle the arguments: partials are made in other processes."""
        return type(self), (self.meter_id, self.customer)


class ValueUnreadableError(ReaggregationError):
    """A payload has no quantity under the key of the value.

    Attributes:
        position: of the event.
        key: of its payload.
        text: the string under the key.
    """

    code = "value_unreadable"

    def __init__(self, position: int, key: str, text: str) -> None:
        super().__init__(
            f"The event at position {position} has {text[:60]!r} under payload key"
            f" {key!r}; expected a decimal such as 12 or -0.5, with at most"
            f" {STORED_INTEGER_DIGITS} integer and {FRACTION_DIGITS} fraction digits",
            param="value_key",
        )
        self.position = position
        self.key = key
        self.text = text

    def __reduce__(self) -> tuple[type["ValueUnreadableError"], tuple[int, str, str]]:
        """Pickle the arguments: partials are made in other processes."""
        return type(self), (self.position, self.key, self.text)
