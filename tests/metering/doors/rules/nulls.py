"""Own the cells of null: how files spell it, and that it is nobody's name."""

from tests.metering.doors.cells import Case, Rule, none_at
from tests.metering.doors.doors import MANY, SINGLE
from tests.metering.doors.sending import Bare, Event, Refused, Right

NOBODY = Refused("meter_event_no_customer_defined", "null is spelled so")
ABSENT_CUSTOMER = Refused("meter_event_no_customer_defined", "stripe_customer_id")
NO_VALUE = Refused("meter_event_invalid_value", "value")
STRIPE_TAKES = "there a customer is any string, as at Stripe"
IN_QUOTES = "it takes a string as it is, and spells no null"


def bare(name: str, event: Event, right: Right | Refused, **more: object) -> Case:
    """Cells without quotes, which CSV alone has."""
    return Case(name=name, events=(event,), right=(right,), **more)  # type: ignore[arg-type]  # fields of a case


RULE = Rule(
    "null in files",
    (
        bare(
            "NULL and \\N without quotes are null",
            Event(payload={"a": Bare("NULL"), "b": Bare("\\N"), "c": Bare("")}),
            Right(),
        ),
        bare(
            "other words without quotes are not",
            Event(payload={"a": Bare("null"), "b": Bare("NA"), "c": Bare("nan")}),
            Right(payload={"a": "null", "b": "NA", "c": "nan"}),
        ),
        bare(
            "NULL without quotes is no customer",
            Event(customer=Bare("NULL")),
            ABSENT_CUSTOMER,
        ),
        bare(
            "NULL without quotes is no value",
            Event(value=Bare("NULL")),
            NO_VALUE,
        ),
        Case(
            name="NULL as a string is a string",
            events=(Event(payload={"a": "NULL", "b": "\\N"}),),
            right=(Right(payload={"a": "NULL", "b": "\\N"}),),
        ),
        Case(
            name="NULL as a string is no customer",
            events=(
                Event(customer="NULL"),
                Event(customer="null", identifier="sender/2"),
                Event(customer="\\N", identifier="sender/3"),
                Event(identifier="sender/4"),
            ),
            right=(NOBODY, NOBODY, NOBODY, Right()),
            empty=none_at(SINGLE, STRIPE_TAKES),
        ),
        Case(
            name="NULL as a string is a customer of one event alone",
            events=(Event(customer="NULL"),),
            right=(Right(customer="NULL"),),
            empty=none_at(MANY, "what brings many comes from files"),
        ),
    ),
)
