"""Own the cells of numbers: a float is its shortest decimal, and nothing is rounded unasked."""

from decimal import Decimal

import pyarrow as pa

from tests.metering.doors.cells import Case, Rule, at
from tests.metering.doors.doors import STRIPE, V2
from tests.metering.doors.sending import Event, Refused, Right, Typed

NO_STRING = Refused("invalid_request", "value", v2="invalid_request")
TOO_FINE = Refused("meter_event_invalid_value", "12", v2="payload_invalid_value")
TOO_LARGE = Refused("meter_event_invalid_value", "18", v2="payload_invalid_value")
TOO_LONG = Refused("meter_event_value_too_many_digits", v2="payload_invalid_value")
HALF_EVEN = {"rounding": "half_even"}


def case(name: str, value: object, right: Right | Refused, **more: object) -> Case:
    return Case(name=name, events=(Event(value=value),), right=(right,), **more)  # type: ignore[arg-type]  # fields of a case


RULE = Rule(
    "numbers are their shortest decimal",
    (
        case("a whole number", 12, Right(value="12"), but=at(V2, NO_STRING)),
        case("a decimal", Decimal("0.50"), Right(value="0.5"), but=at(V2, NO_STRING)),
        case("a float", 0.1, Right(value="0.1"), but=at(V2, NO_STRING)),
        case(
            "a float of few digits and a long way behind the point",
            1.5e-07,
            Right(value="0.00000015"),
            but=at(V2, NO_STRING),
        ),
        case("a large float", 1e15, Right(value="1" + "0" * 15), but=at(V2, NO_STRING)),
        case("a float of 32 bits", Typed(0.1, pa.float32()), Right(value="0.1")),
        case(
            "a float of 17 digits is refused",
            0.0016150000000000001,
            TOO_FINE,
            but=at(V2, NO_STRING) | at(("v1",), TOO_LONG),
        ),
        case(
            "and rounded where that is asked for",
            0.0016150000000000001,
            Right(value="0.001615"),
            options=HALF_EVEN,
            rounded=1,
        ),
        case(
            "rounding goes to the even neighbour",
            "0.0000000000025",
            Right(value="0.000000000002"),
            options=HALF_EVEN,
            rounded=1,
        ),
        case(
            "rounding leaves alone what fits",
            "0.000000000002",
            Right(value="0.000000000002"),
            options=HALF_EVEN,
        ),
        case("no number is none", Typed(float("nan"), pa.float64()), TOO_FINE),
        case(
            "18 digits before the point",
            "9" * 18,
            Right(value="9" * 18),
            but=at(STRIPE, TOO_LONG),
        ),
        case("19 are too many", "9" * 19, TOO_LARGE, but=at(STRIPE, TOO_LONG)),
    ),
)
