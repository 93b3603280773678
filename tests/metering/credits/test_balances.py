"""Balances of credits at any instant, the whole and parts of it, and how they ran."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import (
    DAY,
    apply,
    balance,
    for_prices,
    grant,
    line,
    usd,
)
from tests.metering.usual_usage import NOW

MICROSECOND = timedelta(microseconds=1)


def scope(**given: object) -> Any:
    return {"type": "applicability_scope", "applicability_scope": given}


def test_a_summary_has_the_shape_of_the_api(store: metering.Metering) -> None:
    grant(store, 300)
    grant(store, 200, effective_at=NOW + DAY)

    assert store.credit_balance_summary.retrieve(customer="cus_1") == (
        metering.CreditBalanceSummary(
            balances=(
                metering.CreditBalance(
                    available_balance=usd(300),
                    held_balance=usd(0),
                    ledger_balance=usd(500),
                ),
            ),
            customer="cus_1",
            livemode=False,
            at=NOW,
        )
    )


def test_a_customer_without_grants_has_no_balance(store: metering.Metering) -> None:
    assert balance(store, "cus_9") == {}


def test_each_currency_has_a_balance_in_their_order(store: metering.Metering) -> None:
    grant(store, 1, currency="usd")
    grant(store, 2, currency="eur")
    grant(store, 3, currency="jpy", customer="cus_2")

    assert list(balance(store).items()) == [("eur", (2, 2)), ("usd", (1, 1))]


def test_a_balance_is_told_as_it_stood_and_as_it_will_stand(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store, 500, expires_at=NOW + 10 * DAY)
    grant(store, 300, effective_at=NOW + 5 * DAY)
    clock.advance(DAY)
    apply(store, "in_1", line(200))
    clock.advance(DAY)
    apply(store, "in_2", line(50))
    clock.advance(DAY)
    store.credits.reinstate(invoice="in_1")
    clock.advance(DAY)
    store.rebuild()

    stood = {
        days: balance(store, at=NOW + days * DAY).get("usd")
        for days in (-1, 0, 1, 2, 3, 4, 5, 9, 10, 99)
    }

    assert stood == {
        -1: None,
        0: (800, 500),
        1: (600, 300),
        2: (550, 250),
        3: (750, 450),
        4: (750, 450),
        5: (750, 750),
        9: (750, 750),
        10: (300, 300),
        99: (300, 300),
    }
    assert balance(store, at=NOW + DAY - MICROSECOND) == {"usd": (800, 500)}
    assert balance(store, at=NOW + 10 * DAY - MICROSECOND) == {"usd": (750, 750)}
    assert balance(store) == {"usd": (750, 450)}


def test_a_filter_lets_through_the_grants_of_a_scope_or_one(
    store: metering.Metering,
) -> None:
    grant(store, 1)
    one = grant(store, 10, applicability_config=for_prices("p1"))
    grant(store, 100, applicability_config=for_prices("p2", "p3"))
    grant(store, 1_000, applicability_config=for_prices("p3"), currency="eur")

    def ledger(given: object) -> dict[str, int]:
        found = balance(store, filter=given)
        return {currency: amounts[0] for currency, amounts in found.items()}

    assert ledger(None) == {"eur": 1_000, "usd": 111}
    assert ledger(scope(price_type="metered")) == {"usd": 1}
    assert ledger(scope(prices=[{"id": "p1"}])) == {"usd": 11}
    assert ledger(scope(prices=[{"id": "p2"}, {"id": "p1"}])) == {"usd": 111}
    assert ledger(scope(prices=[{"id": "p3"}])) == {"eur": 1_000, "usd": 101}
    assert ledger(scope(prices=[{"id": "p9"}])) == {"usd": 1}
    assert ledger({"type": "credit_grant", "credit_grant": one.id}) == {"usd": 10}


def test_a_filter_of_now_looks_at_no_invoice(tmp_path: Path) -> None:
    target = str(tmp_path / "usage")
    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        one = grant(store, 500)
        apply(store, "in_1", line(70))
    with closing(sqlite3.connect(Path(target) / "log.db")) as connection:
        connection.execute("UPDATE credit_application SET draws = x'c1'")
        connection.commit()

    with metering.connect(target, clock=metering.FixedClock(NOW)) as store:
        for given in (
            scope(price_type="metered"),
            scope(prices=[{"id": "p1"}]),
            {"type": "credit_grant", "credit_grant": one.id},
        ):
            for at in (None, NOW + DAY):
                assert balance(store, filter=given, at=at) == {"usd": (430, 430)}


FILTER = "filter[applicability_scope]"
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"customer": ""}, "parameter_invalid", "customer"),
    ({"customer": None}, "parameter_missing", "customer"),
    ({"at": "x"}, "timestamp_invalid", "at"),
    ({"at": datetime(2026, 1, 1)}, "timestamp_invalid", "at"),  # noqa: DTZ001  # naive on purpose
    ({"filter": 5}, "parameter_invalid", "filter"),
    ({"filter": {}}, "parameter_missing", "filter[type]"),
    ({"filter": {"type": "all"}}, "parameter_invalid", "filter[type]"),
    ({"filter": {"type": "credit_grant", "of": 1}}, "parameter_unknown", "filter[of]"),
    ({"filter": {"type": "applicability_scope"}}, "parameter_missing", FILTER),
    ({"filter": scope()}, "parameter_missing", FILTER),
    (
        {"filter": scope(price_type="metered", prices=[{"id": "p"}])},
        "parameters_exclusive",
        FILTER,
    ),
    (
        {"filter": {**scope(price_type="metered"), "credit_grant": "credgr_1"}},
        "parameter_invalid",
        "filter[credit_grant]",
    ),
    (
        {"filter": {"type": "credit_grant"}},
        "parameter_missing",
        "filter[credit_grant]",
    ),
    (
        {"filter": {"type": "credit_grant", "credit_grant": "credgr_none"}},
        "resource_missing",
        "filter[credit_grant]",
    ),
]


@pytest.mark.parametrize(("given", "code", "param"), REFUSED)
def test_a_malformed_question_is_refused(
    store: metering.Metering, given: dict[str, Any], code: str, param: str
) -> None:
    with refused(code, param):
        store.credit_balance_summary.retrieve(**{"customer": "cus_1", **given})


def test_a_grant_of_another_customer_is_missing(store: metering.Metering) -> None:
    other = grant(store, customer="cus_2")

    with pytest.raises(metering.ResourceMissingError):
        balance(store, filter={"type": "credit_grant", "credit_grant": other.id})


@pytest.mark.dialect
def test_a_history_follows_the_balance_from_change_to_change(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store, 500, expires_at=NOW + 10 * DAY)
    grant(store, 300, effective_at=NOW + 5 * DAY)
    grant(store, 7, currency="eur")
    clock.advance(DAY)
    apply(store, "in_1", line(200))

    table = store.credit_balance_summary.history(
        customer="cus_1", start_time=NOW, end_time=NOW + 11 * DAY
    )

    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (NOW, "eur", 7, 7, 0),
        (NOW, "usd", 800, 500, 0),
        (NOW + DAY, "usd", 600, 300, 0),
        (NOW + 5 * DAY, "usd", 600, 600, 0),
        (NOW + 10 * DAY, "usd", 300, 300, 0),
    ]
    assert str(table.schema.field("instant").type) == "timestamp[us, tz=UTC]"


def test_a_history_agrees_with_the_balance_at_each_of_its_instants(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, 500, expires_at=NOW + 3 * DAY)
    grant(store, 300, effective_at=NOW + 2 * DAY, applicability_config=for_prices("p"))
    for number in range(4):
        apply(store, f"in_{number}", line(40))
        clock.advance(DAY)
    store.credits.reinstate(invoice="in_2")

    for given in (None, scope(price_type="metered")):
        table = store.credit_balance_summary.history(
            customer="cus_1", start_time=NOW - DAY, end_time=NOW + 9 * DAY, filter=given
        )
        rows = table.to_pylist()
        for row in rows[1:]:
            found = balance(store, at=row["instant"], filter=given)
            assert found == {"usd": (row["ledger_balance"], row["available_balance"])}
        assert len(rows) > 4


def test_a_customer_without_grants_has_an_empty_history(
    store: metering.Metering,
) -> None:
    table = store.credit_balance_summary.history(
        customer="c", start_time=0, end_time=NOW
    )

    assert table.num_rows == 0
    assert table.column_names == [
        "instant", "currency", "ledger_balance", "available_balance", "held_balance",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "param"),
    [(NOW, NOW, "end_time"), ("x", NOW, "start_time"), (0, "x", "end_time")],
)
def test_a_history_ends_after_it_starts(
    store: metering.Metering, start: Any, end: Any, param: str
) -> None:
    with refused(param=param):
        store.credit_balance_summary.history(
            customer="c", start_time=start, end_time=end
        )
