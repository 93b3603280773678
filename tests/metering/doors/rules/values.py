"""Own the cells of values: exact decimals, zero, negative and huge ones."""

from tests.metering.doors.cells import Case, Rule, at
from tests.metering.doors.doors import STRIPE
from tests.metering.doors.sending import ABSENT, Event, Refused, Right

INVALID = Refused("meter_event_invalid_value", v2="payload_invalid_value")
MISSING = Refused("meter_event_invalid_value", v2="payload_no_value_defined")
# Over Stripe's routes a value has 15 digits at most, and is a string.
TOO_LONG = Refused(
    "meter_event_value_too_many_digits", "at most 15 digits", v2="payload_invalid_value"
)


def case(name: str, value: object, right: Right | Refused, **more: object) -> Case:
    return Case(name=name, events=(Event(value=value),), right=(right,), **more)  # type: ignore[arg-type]  # fields of a case


RULE = Rule(
    "values are exact",
    (
        case("a whole number is itself", "12", Right(value="12")),
        case(
            "a fraction keeps its digits",
            "0.000000012346",
            Right(value="0.000000012346"),
        ),
        case("zero counts", "0", Right(value="0")),
        case("minus zero is zero", "-0", Right(value="0")),
        case("a negative value counts", "-12.5", Right(value="-12.5")),
        case("an exponent is a shorter spelling", "1.5e-3", Right(value="0.0015")),
        case("zeros behind the point say nothing", "1.50", Right(value="1.5")),
        case(
            "twelve digits and twelve more are kept",
            "123456789012.123456789012",
            Right(value="123456789012.123456789012"),
            but=at(STRIPE, TOO_LONG),
        ),
        case("nothing is no value", ABSENT, MISSING),
        case("an empty text is no value", "", INVALID),
        case("no number is no value", "NaN", INVALID),
        case("a separator is no digit", "1_000", INVALID),
        case("a blank is no digit", " 1", INVALID),
    ),
)
