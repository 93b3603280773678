"""Own the cells of names: identifiers, customers and texts of any script."""

from tests.metering.doors.cells import Case, Rule, at, none_at
from tests.metering.doors.doors import CLOUD_EVENTS, STRIPE
from tests.metering.doors.sending import (
    ABSENT,
    DUPLICATE,
    Event,
    Refused,
    Right,
    Wire,
)

NO_CUSTOMER = Refused(
    "meter_event_no_customer_defined",
    "stripe_customer_id",
    v2="payload_no_customer_defined",
)
SOURCE_AND_ID = "the identifier of a CloudEvent is made of its source and its id"
BOM = Wire(pack=b"\xef\xbb\xbf".__add__)
UNICODE = "Größe 客户 🚕 e\u0301"

RULE = Rule(
    "names are kept as they are",
    (
        Case(
            name="a customer of any script",
            events=(Event(customer=UNICODE, payload={"modèle": UNICODE}),),
            right=(Right(customer=UNICODE, payload={"modèle": UNICODE}),),
        ),
        Case(
            name="blanks and case of a customer",
            events=(Event(customer=" Cus_1 "),),
            right=(Right(customer=" Cus_1 "),),
        ),
        Case(
            name="a customer of 500 characters",
            events=(Event(customer="🚕" * 500),),
            right=(Right(customer="🚕" * 500),),
        ),
        Case(
            name="a customer that no file spells null by",
            events=(
                Event(customer="Null"),
                Event(customer="nan", identifier="sender/2"),
            ),
            right=(Right(customer="Null"), Right(customer="nan")),
        ),
        Case(
            name="no customer",
            events=(Event(customer=ABSENT),),
            right=(NO_CUSTOMER,),
        ),
        Case(
            name="one event without a customer does not fail the other",
            events=(Event(customer=ABSENT), Event(identifier="sender/2")),
            right=(NO_CUSTOMER, Right()),
        ),
        Case(
            name="an identifier of 100 characters",
            events=(Event(identifier="s/" + "é" * 98),),
            right=(Right(),),
        ),
        Case(
            name="an identifier of 101 characters",
            events=(Event(identifier="s/" + "é" * 99),),
            right=(Refused("parameter_too_long"),),
            but=at(STRIPE, Refused("parameter_invalid", v2="invalid_request")),
            empty=none_at(CLOUD_EVENTS, "one that is too long is made of its SHA-256"),
        ),
        Case(
            name="an identifier that comes again counts once",
            events=(Event(), Event()),
            right=(Right(), DUPLICATE),
        ),
        Case(
            name="an identifier that comes again with other content",
            events=(Event(), Event(value="2")),
            right=(Right(), Refused("identifier_conflict", "value")),
            # Stripe says the same of both, and its stream nothing.
            but=at(STRIPE, Right(), DUPLICATE),
        ),
        Case(
            name="two events of which none has an identifier",
            events=(Event(identifier=ABSENT), Event(identifier=ABSENT)),
            right=(Right(), Right()),
            empty=none_at(CLOUD_EVENTS, SOURCE_AND_ID),
        ),
        Case(
            name="a name for which there is no meter",
            events=(Event(event_name="nobody's"),),
            right=(Refused("no_meter", "nobody's", v1="resource_missing"),),
        ),
        Case(
            name="a byte order mark says nothing",
            wire=BOM,
            empty=none_at(STRIPE, "a request is no text file"),
        ),
    ),
)
