"""Usage values: why some are refused, and their rounding where it is asked for.

A value is taken with every digit or refused. Where the caller asks for it, it is rounded
before the rules of events are checked: they then see a value that can be recorded.
"""

from collections.abc import Mapping
from decimal import Decimal

from ledger.usage.quantities import (
    FRACTION_DIGITS,
    INTEGER_DIGITS,
    fraction_digits,
    parse_number,
    round_half_even,
)
from metering.arguments.numbers import number_text
from metering.errors import MeterEventInvalidError, ValueTooLargeError
from projections.kernels.meters import MeterDefinition


def refused_value(text: str, key: str) -> MeterEventInvalidError:
    """Return the refusal of a value that is no number, or has too many digits.

    Args:
        text: what was given.
        key: the payload key that holds it.
    """
    number = parse_number(text)
    if number is None:
        wrong = (
            "expected a decimal such as 12 or -0.5, with at most"
            f" {INTEGER_DIGITS} integer and {FRACTION_DIGITS} fraction digits"
        )
    elif (digits := fraction_digits(number)) > FRACTION_DIGITS:
        wrong = (
            f"it has {digits} fraction digits, and at most {FRACTION_DIGITS} are"
            ' recorded; round it, or ingest it with rounding="half_even"'
        )
    else:
        return ValueTooLargeError(key, text, number.adjusted() + 1, INTEGER_DIGITS)
    return MeterEventInvalidError(
        f"Invalid value {text[:60]!r}: {wrong}",
        code="meter_event_invalid_value",
        param=f"payload[{key}]",
    )


def with_rounded_value(payload: object, meter: MeterDefinition | None) -> object:
    """Round the value in the payload of a meter's event.

    Returns:
        A payload with a value of 12 fraction digits, half to even; the same object if
        the value has no more, or is none, which the event rules find.
    """
    if meter is None or not meter.needs_value or not isinstance(payload, Mapping):
        return payload
    key = meter.value_payload_key
    number = _number(payload.get(key))
    if number is None:
        return payload
    rounded = round_half_even(number)
    return payload if rounded is number else {**payload, key: rounded}


def _number(value: object) -> Decimal | None:
    if isinstance(value, float | Decimal):
        value = number_text(value)
    return parse_number(value) if isinstance(value, str) else None
