"""Own the rules of what is asked, not sent: the same answer at each door of asking.

There are three of these doors. A *question* is asked at each in its own way, and has one
right answer; where it cannot be asked, the reason stands in `empty`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Literal, Protocol

import metering
from tests.metering.cli.running import run
from tests.metering.doors.place import NOW, Place
from tests.metering.usual_credits import METERED, balance, grant, line, money
from tests.metering.usual_credits import run as billing_run
from tests.metering.usual_usage import create_event

_COUNTED = ("applied", "repeated", "rejected")
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
        # No value may be as large as the size of each, of which two do not add up.
        payload = {
            "stripe_customer_id": customer,
            "value": str(number + 1),
            "size": "9" * 26,
        }
        create_event(place.store, meter.event_name, payload, timestamp=NOW)
    found = question.ask[door](place, meter)
    if isinstance(question.right, No):
        assert isinstance(found, No), f"it was answered: {found}"
        assert question.right.words in found.words
    else:
        assert found == question.right, found


def _reaggregated(filters: Mapping[str, Any], **more: Any) -> dict[str, Ask]:
    """Sum up a meter by customer, with filters and more of the question, at each door."""

    def of(meter: metering.Meter) -> dict[str, Any]:
        return {
            key: meter.event_name if each == "the meter" else each
            for key, each in filters.items()
        }

    def in_library(place: Place, meter: metering.Meter) -> object:
        try:
            table = place.store.reaggregate(
                meters=meter.id, window="month", filters=of(meter), **more
            )
        except metering.MeteringError as error:
            return No(error.message)
        return _sums(table.to_pylist())

    def over_http(place: Place, meter: metering.Meter) -> object:
        asked = {
            "meters": [meter.id],
            "window": "month",
            "filters": of(meter),
            **more,
        }
        answered = place.http.post_json("/metering/v1/reaggregate", asked)
        if answered.status != 200:
            return No(answered.error["message"])
        return _sums(json.loads(answered.body, parse_float=Decimal)["data"])

    words = [
        f"--{name.replace('_', '-')}" + ("" if given is True else f"={given}")
        for name, given in more.items()
    ]

    def by_command(place: Place, meter: metering.Meter) -> object:
        wheres = [
            f"--where={key}={each}"
            for key, given in of(meter).items()
            for each in ([given] if isinstance(given, str) else given)
        ]
        found = run(
            *("reaggregate", "--meter", meter.id, "--window", "month", "--json"),
            *("--store", place.target, *wheres, *words),
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


def _sums(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    return {
        row["customer"]: None if row["value"] is None else str(int(row["value"]))
        for row in rows
    }


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


Option = Literal["replace"]


def _period_end(place: Place) -> datetime:
    """Return when all credits are effective: commands go by the machine's clock."""
    return place.ahead.now()


class Settle(Protocol):
    """Settles the rows of a billing run, and counts its invoices."""

    def __call__(
        self, place: Place, rows: list[dict[str, Any]], *options: Option
    ) -> dict[str, int]:
        """Settle them."""


def _settled_in_library(
    place: Place, rows: list[dict[str, Any]], *options: Option
) -> dict[str, int]:
    source = billing_run(*({"period_end": _period_end(place), **row} for row in rows))
    receipt = place.store.credits.apply_many(source, replace="replace" in options)
    return {name: getattr(receipt, name) for name in _COUNTED}


def _settled_by_command(
    place: Place, rows: list[dict[str, Any]], *options: Option
) -> dict[str, int]:
    end = _period_end(place).isoformat()
    usual = {"period_end": end, "currency": "usd", "price": "price_1"}
    lines = "".join(f"{json.dumps({**usual, **row})}\n" for row in rows)
    file = place.file("run.ndjson", lines.encode())
    found = run(
        *("credits", "apply", file, "--json", "--store", place.target),
        *(f"--{each}" for each in options),
    )
    assert found.exit_code == 0, found.output
    receipt = json.loads(found.stdout)
    return {name: receipt[name] for name in _COUNTED}


def _rows_apart(settle: Settle) -> Ask:
    """Settle two invoices whose rows alternate, and again with the rows in order."""

    def ask(place: Place, meter: metering.Meter) -> object:
        customer = f"of_{meter.event_name}"
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
        in_order = sorted(rows, key=itemgetter("invoice"))
        counted = settle(place, rows), settle(place, in_order)
        return *counted, balance(place.ahead, customer)

    return ask


def _corrected(settle: Settle) -> Ask:
    """Settle an invoice, and correct it; answer with what is left of the credits."""

    def ask(place: Place, meter: metering.Meter) -> object:
        customer = f"of_{meter.event_name}"
        grant(place.store, 1_000, customer=customer)
        row = {"invoice": meter.event_name, "line": "il_1", "customer": customer}
        settle(place, [{**row, "amount": 300}])
        settle(place, [{**row, "amount": 200}], "replace")
        return balance(place.ahead, customer)

    return ask


def _corrected_over_http(place: Place, meter: metering.Meter) -> object:
    """Settle an invoice, and correct it, over HTTP."""
    customer = f"of_{meter.event_name}"
    grant(place.store, 1_000, customer=customer)
    for amount, replace in ((300, False), (200, True)):
        asked = {
            "invoice": meter.event_name,
            "customer": customer,
            "period_end": int(_period_end(place).timestamp()),
            "lines": [line(amount)],
            "replace": replace,
        }
        answered = place.http.post_json("/metering/v1/credits/apply", asked)
        assert answered.status == 200, answered.body
    return balance(place.ahead, customer)


FILTERS = "filters of a re-aggregation"
CURRENCIES = "currencies are Stripe's"
RUNS = "a billing run's rows come in any order"
BOTH = {"cus_1": "4", "cus_2": "2"}
SUMS = "one sum that is too large stops no other"
QUESTIONS = (
    Question(
        rule=SUMS,
        name="it is refused, and named",
        ask=_reaggregated({}, value_key="size"),
        right=No("customer 'cus_1' on meter mtr_"),
    ),
    Question(
        rule=SUMS,
        name="it is null beside the others, where that is asked for",
        ask=_reaggregated({}, value_key="size", skip_too_large=True),
        right={"cus_1": None, "cus_2": "9" * 26},
    ),
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
        ask={
            "library": _rows_apart(_settled_in_library),
            "command": _rows_apart(_settled_by_command),
        },
        right=(
            {"applied": 2, "repeated": 0, "rejected": 0},
            {"applied": 0, "repeated": 2, "rejected": 0},
            {"usd": (954, 954)},
        ),
        empty={"http": "an invoice is a request of its own"},
    ),
    Question(
        rule=RUNS,
        name="an invoice is given back and drawn again at once",
        ask={
            "library": _corrected(_settled_in_library),
            "http": _corrected_over_http,
            "command": _corrected(_settled_by_command),
        },
        right={"usd": (800, 800)},
    ),
)
