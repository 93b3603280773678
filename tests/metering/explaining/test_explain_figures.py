"""Explaining what the library returned: each figure says what it is of."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.statements.usual_statements import (
    END,
    START,
    february,
    priced,
    tiered,
    use,
)
from tests.metering.usual_credits import DAY, apply, grant, line, money
from tests.metering.usual_usage import NOW, cancel_event

HALFWAY = START + timedelta(days=14)


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def identifiers(made: metering.Explanation) -> list[str]:
    found: list[str] = made.events().read_all().column("identifier").to_pylist()
    return found


def test_a_summary_is_explained_as_it_was_answered(m: metering.Metering) -> None:
    priced(m)
    [meter] = m.meters.list()
    use(m, "2.5", identifier="one", timestamp=HALFWAY)
    use(m, "4", identifier="two", timestamp=HALFWAY + timedelta(hours=1))
    by_hour = m.meters.event_summaries(
        meter.id,
        customer="cus_1",
        start_time=HALFWAY + timedelta(minutes=-30),
        end_time=END,
        value_grouping_window="hour",
    )
    use(m, "8", identifier="late", timestamp=HALFWAY)

    explained = [m.explain(each) for each in by_hour]

    assert [made.value for made in explained] == [
        each.aggregated_value for each in by_hour
    ]
    assert [identifiers(made) for made in explained] == [["two"], ["one"]]
    assert [made.position for made in explained] == [each.position for each in by_hour]
    late = explained[1].not_counted().read_all().to_pylist()
    assert [(each["identifier"], each["reason"]) for each in late] == [
        ("two", "outside"),
        ("late", "later"),
    ]


def test_a_line_of_a_statement_is_explained_as_it_was_stated(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    price, other = priced(m), priced(m, "calls", "count")
    use(m, "2.5", identifier="one")
    use(m, "4", identifier="beyond", timestamp=HALFWAY)
    use(m, "1", "calls", identifier="call")
    preview = m.statements.preview(**february(price, other, at=HALFWAY))
    made = m.statements.finalize(id="st_1", **february(price, other, at=HALFWAY))
    cancel_event(m, "one")

    for statement in (preview, made, m.statements.retrieve("st_1")):
        tokens, calls = (m.explain(line) for line in statement.lines)
        assert tokens.value == statement.lines[0].quantity
        assert calls.value == statement.lines[1].quantity
        assert (identifiers(tokens), identifiers(calls)) == (["one"], ["call"])
        assert (tokens.start_time, tokens.end_time) == (START, HALFWAY)
        assert tokens.position == made.position


@pytest.mark.parametrize(
    ("recurrence", "timezone", "counted"),
    [
        ("one_time", None, ["month before", "day before", "last", "reaches"]),
        ("calendar_month", "America/New_York", ["day before", "last", "reaches"]),
        ("calendar_day", "UTC", ["last", "reaches"]),
    ],
)
def test_a_trigger_is_explained_as_of_its_event(
    m: metering.Metering, recurrence: str, timezone: str | None, counted: list[str]
) -> None:
    priced(m)
    [meter] = m.meters.list()
    threshold: Any = {"gte": 10, "meter": meter.id, "recurrence": recurrence}
    if timezone is not None:
        threshold["timezone"] = timezone
    m.alerts.create(title="a", usage_threshold=threshold)
    day = datetime(2026, 2, 10, tzinfo=UTC)
    for name, value, at in (
        ("month before", "1", datetime(2026, 2, 1, 4, tzinfo=UTC)),
        ("day before", "1", day - timedelta(hours=1)),
        ("last", "3", day + timedelta(hours=23)),
        ("reaches", "9.5", day),
        ("after", "50", day),
    ):
        use(m, value, identifier=name, timestamp=at)
    m.catch_up()
    cancel_event(m, "last")
    [triggered] = m.alerts.triggered()

    made = m.explain(triggered)

    assert isinstance(made, metering.Explanation)
    assert made.value == triggered.value
    assert identifiers(made) == counted
    assert made.adds_up()


def test_a_statement_is_what_its_lines_and_credits_add_up_to(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    clock.set(START)
    price, calls = priced(m), tiered(m)
    grant(m, 30)
    clock.set(NOW)
    use(m, "2.5", identifier="one")
    use(m, "12", "calls", identifier="calls")
    made = m.statements.finalize(id="st_1", **february(price, calls))
    use(m, "1", identifier="late")

    why = m.explain(m.statements.retrieve("st_1"))

    assert (why.value, why.currency, why.customer) == (made.amount_due, "usd", "cus_1")
    assert [(part.kind, part.id, part.amount) for part in why.parts] == [
        ("line", "il_1", 25),
        ("line", "il_2", made.lines[1].amount),
        ("credit", made.credits[0].credit_grant, -25),
        ("credit", made.credits[0].credit_grant, -5),
    ]
    quantities = [part.explanation for part in why.parts]
    assert [each and identifiers(each) for each in quantities] == [
        ["one"],
        ["calls"],
        None,
        None,
    ]
    assert why.adds_up()
    assert why.to_dict()["parts"][0]["quantity"]["value"] == "2.5"
    for wrong in (
        msgspec.structs.replace(made, amount_due=made.amount_due + 1),
        msgspec.structs.replace(
            made, lines=(msgspec.structs.replace(made.lines[0], quantity=Decimal(2)),)
        ),
    ):
        assert not m.explain(wrong).adds_up()


@pytest.mark.parametrize("recurrence", ["one_time", "calendar_month"])
def test_spend_that_triggered_is_what_its_prices_make_of_usage(
    m: metering.Metering, recurrence: str
) -> None:
    price, calls = priced(m), priced(m, "calls", "count", unit_amount=7)
    spend: Any = {
        "gte": 35,
        "currency": "usd",
        "prices": [price.id, calls.id],
        "recurrence": recurrence,
    }
    m.alerts.create(title="a", alert_type="spend_threshold", spend_threshold=spend)
    use(m, "1", "calls", identifier="call")
    use(m, "3.26", identifier="reaches")
    use(m, "50", identifier="after")
    m.catch_up()
    cancel_event(m, "reaches")
    [triggered] = m.alerts.triggered()

    why = m.explain(triggered)

    assert isinstance(why, metering.AmountExplanation)
    assert why.value == triggered.value == 40
    assert [(part.kind, part.id, part.amount) for part in why.parts] == [
        ("price", price.id, 33),
        ("price", calls.id, 7),
    ]
    assert [
        identifiers(part.explanation) for part in why.parts if part.explanation
    ] == [
        ["reaches"],
        ["call"],
    ]
    assert why.position == triggered.event_position
    assert why.adds_up()


def test_credits_that_fell_are_what_is_left_of_the_grants(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    threshold: Any = {
        "lte": {
            "balance_type": "monetary",
            "monetary": {"currency": "usd", "value": 120},
        }
    }
    m.alerts.create(
        title="a",
        alert_type="credit_balance_threshold",
        credit_balance_threshold=threshold,
    )
    prepaid = grant(m, 100)
    short = grant(m, 30, expires_at=m.now() + 2 * DAY)
    later = grant(m, 5, effective_at=m.now() + 9 * DAY)
    m.credit_holds.create(id="h", customer="cus_1", amount=money(6))
    apply(m, "in_1", line(20))
    apply(m, "in_2", line(1))
    clock.advance(DAY)
    m.catch_up()
    [by_invoice] = m.alerts.triggered()
    grant(m, 18)
    clock.advance(DAY)
    m.catch_up()
    _, by_time = sorted(m.alerts.triggered(), key=lambda each: each.position)

    first, second = m.explain(by_invoice), m.explain(by_time)

    assert isinstance(first, metering.BalanceExplanation)
    assert isinstance(second, metering.BalanceExplanation)
    assert first.available == {"usd": by_invoice.value} == {"usd": 104}
    assert second.available == {"usd": by_time.value}
    assert (first.adds_up(), second.adds_up()) == (True, True)
    assert first.grants().read_all().to_pylist() == [
        {
            "credit_grant": each.id,
            "currency": "usd",
            "ledger_balance": ledger,
            "held_balance": held,
            "pending": pending,
            "available_balance": available,
        }
        for each, ledger, held, pending, available in (
            (prepaid, 100, 0, 0, 100),
            (short, 10, 6, 0, 4),
            (later, 5, 0, 5, 0),
        )
    ]


def test_what_is_no_figure_is_refused(m: metering.Metering) -> None:
    price = priced(m)
    made = m.statements.preview(**february(price, at=HALFWAY))
    explain: Any = m.explain

    with refused("figure_unknown", "figure", "a str cannot be explained", "Statement"):
        explain("5")
    with refused("parameters_exclusive", "figure", "customer exclude"):
        explain(made.lines[0], customer="cus_1")
    with refused(None, "meter"):
        explain()


def test_a_credit_balance_is_what_its_transactions_add_up_to(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    prepaid = grant(m, 1_000)
    short = grant(m, 300, expires_at=m.now() + DAY)
    grant(m, 50, currency="eur")
    grant(m, 7, customer="cus_2")
    apply(m, "in_1", line(400))
    before = m.credit_balance_summary.retrieve(customer="cus_1")
    clock.advance(2 * DAY)
    apply(m, "in_2", line(100))
    now = m.credit_balance_summary.retrieve(customer="cus_1")
    clock.advance(DAY)
    m.credits.reinstate(invoice="in_1")

    then, made = m.explain(before), m.explain(now)

    assert then.value == {"eur": 50, "usd": 900}
    assert made.value == {"eur": 50, "usd": 800}
    rows = made.transactions().read_all().to_pylist()
    assert [(each["type"], each["amount"], each["credit_grant"]) for each in rows] == [
        ("credits_granted", 1_000, prepaid.id),
        ("credits_granted", 300, short.id),
        ("credits_granted", 50, rows[2]["credit_grant"]),
        ("credits_applied", -300, short.id),
        ("credits_applied", -100, prepaid.id),
        ("credits_applied", -100, prepaid.id),
    ]
    assert [each["invoice"] for each in rows[3:]] == ["in_1", "in_1", "in_2"]
    assert then.transaction_count == made.transaction_count - 1
    assert (made.position, made.digest) == (m.position, m.verify().digest)


def test_a_balance_of_some_grants_is_made_of_their_transactions(
    m: metering.Metering,
) -> None:
    grant(m, 1_000)
    other = grant(m, 300)
    chosen: Any = {"type": "credit_grant", "credit_grant": other.id}
    balance = m.credit_balance_summary.retrieve(customer="cus_1", filter=chosen)

    made = m.explain(balance)

    assert (made.value, made.available) == ({"usd": 300}, {"usd": 300})
    grants = made.transactions().read_all().column("credit_grant").to_pylist()
    assert grants == [other.id]


def test_a_balance_of_before_what_was_recorded_at_its_time_is_refused(
    m: metering.Metering,
) -> None:
    grant(m, 1_000)
    balance = m.credit_balance_summary.retrieve(customer="cus_1", at=m.now() + DAY)
    grant(m, 300)

    with refused("figure_unknown", "figure", "retrieve the balance again"):
        m.explain(balance)
