"""Own the rules of what is asked, not sent: the same answer at each door of asking.

There are three of these doors. A *question* is asked at each in its own way, and has one
right answer; where it cannot be asked, the reason stands in `empty`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Any

import metering
from tests.metering.cli.running import run
from tests.metering.doors.place import NOW, Place
from tests.metering.usual_credits import METERED, balance, grant, line, money
from tests.metering.usual_credits import run as billing_run
from tests.metering.usual_usage import create_event

ASKED_AT = ("library", "http", "command")
Ask = Callable[[Place, metering.Meter], object]


@dataclass(frozen=True)
class No:
    """A question that was refused.

    Attributes:
        words: some of the message.
    """

    words: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked at every door of asking, and the right answer.

    Attributes:
        rule: the rule that it shows, in a few words.
        name: what is true of the answer.
        ask: how it is asked, by the name of the door.
        right: the answer.
        empty: why it is not asked at a door.
    """

    rule: str
    name: str
    ask: Mapping[str, Ask]
    right: object
    empty: Mapping[str, str] = field(default_factory=dict)


def check_answer(question: Question, door: str, place: Place) -> None:
    """Ask a question of a store with usage of two customers, and check the answer."""
    meter = place.meter()
    for number, customer in enumerate(("cus_1", "cus_2", "cus_1")):
        payload = {"stripe_customer_id": customer, "value": str(number + 1)}
        create_event(place.store, meter.event_name, payload, timestamp=NOW)
    found = question.ask[door](place, meter)
    if isinstance(question.right, No):
        assert isinstance(found, No), f"it was answered: {found}"
        assert question.right.words in found.words
    else:
        assert found == question.right


def _reaggregated(filters: Mapping[str, Any]) -> dict[str, Ask]:
    """Sum up a meter by customer, with filters, at each door."""

    def of(meter: metering.Meter) -> dict[str, Any]:
        return {
            key: meter.event_name if each == "the meter" else each
            for key, each in filters.items()
        }

    def in_library(place: Place, meter: metering.Meter) -> object:
        try:
            table = place.store.reaggregate(
                meters=meter.id, window="month", filters=of(meter)
            )
        except metering.MeteringError as error:
            return No(error.message)
        return _sums(table.to_pylist())

    def over_http(place: Place, meter: metering.Meter) -> object:
        asked = {"meters": [meter.id], "window": "month", "filters": of(meter)}
        answered = place.http.post_json("/metering/v1/reaggregate", asked)
        if answered.status != 200:
            return No(answered.error["message"])
        return _sums(json.loads(answered.body, parse_float=Decimal)["data"])

    def by_command(place: Place, meter: metering.Meter) -> object:
        wheres = [
            f"--where={key}={each}"
            for key, given in of(meter).items()
            for each in ([given] if isinstance(given, str) else given)
        ]
        found = run(
            *("reaggregate", "--meter", meter.id, "--window", "month", "--json"),
            *("--store", place.target, *wheres),
        )
        if found.exit_code:
            return No(found.stderr)
        return _sums(
            [
                json.loads(each, parse_float=Decimal)
                for each in found.stdout.splitlines()
            ]
        )

    return {"library": in_library, "http": over_http, "command": by_command}


def _sums(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["customer"]: str(int(row["value"])) for row in rows}


def _granted(currency: str, minor_units: int, units: str) -> dict[str, Ask]:
    """Grant credits of an amount at each door; answer with what was granted."""

    def in_library(place: Place, meter: metering.Meter) -> object:
        del meter
        try:
            grant = place.store.credit_grants.create(
                customer="cus_1",
                amount=money(minor_units, currency),
                applicability_config=METERED,
            )
        except metering.MeteringError as error:
            return No(error.message)
        return grant.amount.monetary.value

    def over_http(place: Place, meter: metering.Meter) -> object:
        del meter
        form = {
            "customer": "cus_1",
            "amount[type]": "monetary",
            "amount[monetary][currency]": currency,
            "amount[monetary][value]": str(minor_units),
            "applicability_config[scope][price_type]": "metered",
        }
        answered = place.http.ask("POST", "/v1/billing/credit_grants", form)
        if answered.status != 200:
            return No(answered.error["message"])
        return answered.json["amount"]["monetary"]["value"]

    def by_command(place: Place, meter: metering.Meter) -> object:
        del meter
        found = run(
            *("credits", "grant", "--customer", "cus_1", "--amount", units),
            *("--currency", currency, "--json", "--store", place.target),
        )
        if found.exit_code:
            return No(found.stderr)
        return json.loads(found.stdout)["amount"]["monetary"]["value"]

    return {"library": in_library, "http": over_http, "command": by_command}


def _rows_apart(place: Place, meter: metering.Meter) -> object:
    """Settle two invoices whose rows alternate; answer with what they drew."""
    customer, settle = f"of_{meter.event_name}", place.store.credits.apply_many
    grant(place.store, 1_000, customer=customer)
    rows = [
        {
            "invoice": f"{meter.event_name}_{number % 2}",
            "line": f"il_{number}",
            "customer": customer,
            "amount": 10 + number,
        }
        for number in range(4)
    ]
    drawn = settle(billing_run(*rows)).transactions.to_pylist()
    again = settle(billing_run(*sorted(rows, key=itemgetter("invoice"))))
    assert (again.applied, again.repeated, again.rejected) == (0, 2, 0)
    return sorted((each["invoice"][-1], each["amount"]) for each in drawn)


def _corrected(place: Place, meter: metering.Meter) -> object:
    """Settle an invoice, and correct it; answer with what is left of the credits."""
    customer = f"of_{meter.event_name}"
    grant(place.store, 1_000, customer=customer)
    for amount, replace in ((300, False), (200, True)):
        place.store.credits.apply(
            invoice=meter.event_name,
            customer=customer,
            period_end=NOW,
            lines=[line(amount)],
            replace=replace,
        )
    return balance(place.store, customer)


def _corrected_over_http(place: Place, meter: metering.Meter) -> object:
    """Settle an invoice, and correct it, over HTTP."""
    customer = f"of_{meter.event_name}"
    grant(place.store, 1_000, customer=customer)
    for amount, replace in ((300, "false"), (200, "true")):
        asked = {
            "invoice": meter.event_name,
            "customer": customer,
            "period_end": int(NOW.timestamp()),
            "lines": [line(amount)],
            "replace": replace,
        }
        answered = place.http.post_json("/metering/v1/credits/apply", asked)
        assert answered.status == 200, answered.body
    return balance(place.store, customer)


FILTERS = "filters of a re-aggregation"
CURRENCIES = "currencies are Stripe's"
RUNS = "a billing run's rows come in any order"
NO_COMMAND = "invoices are settled by the system that makes them, by no command"
BOTH = {"cus_1": "4", "cus_2": "2"}
QUESTIONS = (
    Question(
        rule=FILTERS,
        name="a customer filters by the column",
        ask=_reaggregated({"customer": "cus_1"}),
        right={"cus_1": "4"},
    ),
    Question(
        rule=FILTERS,
        name="several customers are any of them",
        ask=_reaggregated({"customer": ["cus_1", "cus_2"]}),
        right=BOTH,
    ),
    Question(
        rule=FILTERS,
        name="a meter filters by its event name",
        ask=_reaggregated({"meter": "the meter"}),
        right=BOTH,
    ),
    Question(
        rule=FILTERS,
        name="an event name is no filter",
        ask=_reaggregated({"event_name": "the meter"}),
        right=No("filter by meter"),
    ),
    Question(
        rule=FILTERS,
        name="a timestamp is no filter",
        ask=_reaggregated({"timestamp": "2026-03-01"}),
        right=No("start_time"),
    ),
    Question(
        rule=FILTERS,
        name="an empty list filters nothing, and is refused",
        ask={
            door: ask
            for door, ask in _reaggregated({"model": []}).items()
            if door != "command"
        },
        right=No("filters"),
        empty={"command": "an option that is given has a value"},
    ),
    Question(
        rule=CURRENCIES,
        name="ISK has two digits",
        ask=_granted("isk", 1_100, "11"),
        right=1_100,
    ),
    Question(
        rule=CURRENCIES,
        name="ISK has no fractions",
        ask=_granted("isk", 1_150, "11.50"),
        right=No("multiple of"),
    ),
    Question(
        rule=CURRENCIES,
        name="UGX has two digits",
        ask=_granted("ugx", 1_100, "11"),
        right=1_100,
    ),
    Question(
        rule=CURRENCIES,
        name="MGA has none",
        ask=_granted("mga", 11, "11"),
        right=11,
    ),
    Question(
        rule=CURRENCIES,
        name="a thousandth of a dinar is not paid",
        ask=_granted("kwd", 1_005, "1.005"),
        right=No("multiple of"),
    ),
    Question(
        rule=CURRENCIES,
        name="what Stripe does not take is refused over HTTP",
        ask={"http": _granted("iqd", 1_000, "1")["http"]},
        right=No("usd"),
        empty={
            "library": "it takes the other currencies of ISO 4217 too",
            "command": "it takes the other currencies of ISO 4217 too",
        },
    ),
    Question(
        rule=RUNS,
        name="rows of an invoice that lie apart are one invoice",
        ask={"library": _rows_apart},
        right=[("0", 10), ("0", 12), ("1", 11), ("1", 13)],
        empty={"http": "an invoice is a request of its own", "command": NO_COMMAND},
    ),
    Question(
        rule=RUNS,
        name="an invoice is given back and drawn again at once",
        ask={"library": _corrected, "http": _corrected_over_http},
        right={"usd": (800, 800)},
        empty={"command": NO_COMMAND},
    ),
)
