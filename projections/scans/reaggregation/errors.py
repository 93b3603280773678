"""Errors of re-aggregation.

MeteringError
└── ReaggregationError
    ├── SummaryTooLargeError
    └── ValueUnreadableError
"""

from collections.abc import Sequence

from ledger.errors import MeteringError
from ledger.usage.quantities import FRACTION_DIGITS, STORED_INTEGER_DIGITS


class ReaggregationError(MeteringError):
    """The events give no answer to the question."""

    code = "reaggregation_error"


class SummaryTooLargeError(ReaggregationError):
    """Sums have more digits than the stored type.

    Attributes:
        series: meter id and customer of the first of them, in that order; at most 10.
        count: how many customers on meters there are.
    """

    code = "summary_too_large"

    def __init__(self, series: Sequence[tuple[str, str]], count: int) -> None:
        assert series, "there is a sum that is too large"
        named = [
            f"customer {customer!r} on meter {meter}" for meter, customer in series
        ]
        if count > len(named):
            named.append(f"{count - len(named)} more")
        verb = "adds" if count == 1 else "add"
        super().__init__(
            f"The usage of {', '.join(named)} {verb} up to more than"
            f" {STORED_INTEGER_DIGITS} integer and {FRACTION_DIGITS} fraction digits can"
            " say; ask for shorter windows, or with skip_too_large for all others"
        )
        self.series = tuple(series)
        self.count = count

    def __reduce__(
        self,
    ) -> tuple[type["SummaryTooLargeError"], tuple[Sequence[tuple[str, str]], int]]:
        """Pickle the arguments: answers may be made in other processes."""
        return type(self), (self.series, self.count)


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
