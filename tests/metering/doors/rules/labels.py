"""Own the cells of labels: what lies beside the usage never costs the usage."""

from decimal import Decimal

from tests.metering.doors.cells import Case, Rule, at, none_at
from tests.metering.doors.doors import MANY, SINGLE, V2
from tests.metering.doors.sending import Event, Refused, Right

NO_LABEL = Refused("payload_invalid", v2="invalid_request")
STRICT = "an event alone is judged as strictly as Stripe judges it"
TOO_LONG = Refused("parameter_too_long", v1="parameter_invalid", v2="invalid_request")
LONG_NAME = "k" * 101


TRUE, FALSE = True, False


def case(name: str, value: object, text: str | None, **more: object) -> Case:
    payload = {} if text is None else {"label": text}
    return Case(
        name=name,
        events=(Event(payload={"label": value}),),
        right=(Right(payload=payload),),
        **more,  # type: ignore[arg-type]  # fields of a case
    )


RULE = Rule(
    "what lies beside the usage never costs it",
    (
        case("a string is itself", " Größe\n", " Größe\n"),
        case("an empty string is one", "", ""),
        case("null is no label", None, None, but=at(("create",), NO_LABEL)),
        case("true is a string", TRUE, "true", but=at(("create", *V2), NO_LABEL)),
        case("false is a string", FALSE, "false", but=at(("create", *V2), NO_LABEL)),
        case("a whole number is a string", 12, "12", but=at(V2, NO_LABEL)),
        case(
            "a decimal keeps the digits that it has",
            Decimal("1.50"),
            "1.50",
            but=at(V2, NO_LABEL),
        ),
        case(
            "a list is compact JSON",
            [1, 2, None],
            "[1,2,null]",
            but=at(("create", *V2), NO_LABEL),
        ),
        case(
            "an object is compact JSON in the sender's order",
            {"out": 10, "in": {"ü": True}},
            '{"out":10,"in":{"ü":true}}',
            but=at(("create", *V2), NO_LABEL),
        ),
        case("500 characters are a label", "ü" * 500, "ü" * 500),
        case(
            "a longer string is left out",
            "ü" * 501,
            None,
            left_out={"label": 1},
            empty=none_at(SINGLE, STRICT),
        ),
        case(
            "a longer list is left out",
            [1] * 251,
            None,
            left_out={"label": 1},
            empty=none_at(SINGLE, STRICT),
        ),
        Case(
            name="a name that is too long is left out",
            events=(Event(payload={LONG_NAME: "a", "label": "b"}),),
            right=(Right(payload={"label": "b"}),),
            left_out={"k" * 99 + "…": 1},
            empty=none_at(SINGLE, STRICT),
        ),
        Case(
            name="an event alone is refused for a string that is too long",
            events=(Event(payload={"label": "ü" * 501}),),
            right=(TOO_LONG,),
            empty=none_at(MANY, "many events leave it out"),
        ),
    ),
)
