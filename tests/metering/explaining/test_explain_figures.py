"""Explaining what the library returned: each figure says what it is of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.statements.usual_statements import (
    END,
    START,
    february,
    priced,
    use,
)
from tests.metering.usual_credits import DAY, apply, grant, line
from tests.metering.usual_usage import cancel_event

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

    assert made.value == triggered.value
    assert identifiers(made) == counted
    assert made.adds_up()


def test_what_is_not_of_usage_is_refused(m: metering.Metering) -> None:
    price = priced(m)
    made = m.statements.preview(**february(price, at=HALFWAY))
    threshold: Any = {
        "lte": {"balance_type": "monetary", "monetary": {"currency": "usd", "value": 5}}
    }
    m.alerts.create(
        title="a",
        alert_type="credit_balance_threshold",
        credit_balance_threshold=threshold,
    )
    explain: Any = m.explain

    with refused(
        "figure_unknown", "figure", "a Statement cannot be", "statement.lines"
    ):
        explain(made)
    with refused("figure_unknown", "figure", "a str cannot be explained"):
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


def test_a_balance_of_some_grants_is_refused(m: metering.Metering) -> None:
    grant(m, 1_000)
    other = grant(m, 300)
    chosen: Any = {"type": "credit_grant", "credit_grant": other.id}
    balance = m.credit_balance_summary.retrieve(customer="cus_1", filter=chosen)

    with refused("figure_unknown", "figure", "without a filter"):
        m.explain(balance)
