"""Billing runs: what ended is stated once, in bulk, and one bad fails no other."""

from datetime import timedelta
from typing import Any

import pytest

import metering
from metering.statements.runs import run as run_module
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
from tests.metering.subscriptions.usual_subscriptions import licensed_price, subscribe
from tests.metering.usual_credits import balance, for_prices, grant, money
from tests.metering.usual_usage import NOW

DAY = timedelta(days=1)


def prepared(
    m: metering.Metering, clock: metering.FixedClock, customers: int = 3
) -> tuple[metering.Price, metering.Price]:
    """Subscribe customers to two prices from the first of February, and use some."""
    clock.set(START)
    one, other = priced(m), tiered(m)
    for number in range(1, customers + 1):
        customer = f"cus_{number}"
        subscribe(m, one, other, customer=customer)
        grant(m, 15 * number, customer=customer)
        grant(m, 7, customer=customer, applicability_config=for_prices(one.id))
    clock.set(NOW)
    for number in range(1, customers + 1):
        use(m, str(number), customer=f"cus_{number}")
        use(m, f"{number}.5", "calls", customer=f"cus_{number}")
    return one, other


def test_a_run_makes_the_statements_that_would_be_made_one_by_one(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    prices = prepared(m, clock)
    m.credit_pools.create(id="team", cap=money(10))
    m.credit_pools.add_member("team", customer="cus_3")
    shared = grant(m, 1_000, customer=None, pool="team", effective_at=START)
    wanted = [
        m.statements.preview(**february(*reversed(prices), customer=f"cus_{number}"))
        for number in (1, 2, 3)
    ]
    steps: list[tuple[int, int]] = []

    receipt = m.statements.run(
        period_end=NOW, progress=lambda *step: steps.append(step)
    )

    assert (receipt.finalized, receipt.repeated, receipt.rejected) == (3, 0, 0)
    assert steps == [(3, 3)]
    made = [
        m.statements.retrieve(each) for each in receipt.statements["id"].to_pylist()
    ]
    for one, other in zip(made, wanted, strict=True):
        assert [(each.quantity, each.amount, each.tiers) for each in one.lines] == [
            (each.quantity, each.amount, each.tiers) for each in other.lines
        ]
        assert (one.credits, one.amount_due) == (other.credits, other.amount_due)
        assert one.position == receipt.position
    assert receipt.statements["amount_due"].to_pylist() == [
        each.amount_due for each in wanted
    ]
    assert [
        each.amount
        for one in made
        for each in one.credits
        if each.credit_grant == shared.id
    ] == [10]
    assert m.verify().problems == ()


def test_a_run_that_is_repeated_changes_nothing(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    prepared(store, clock)
    first = store.statements.run(period_end=NOW, customers=["cus_2"])
    rest = store.statements.run(period_end=NOW)
    position, left = store.position, balance(store)

    again = store.statements.run(period_end=NOW)

    assert (first.finalized, rest.finalized, rest.repeated) == (1, 2, 1)
    assert (again.finalized, again.repeated) == (0, 3)
    assert (store.position, balance(store)) == (position, left)


def test_a_run_goes_on_where_another_broke_off(
    store: metering.Metering,
    clock: metering.FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared(store, clock)
    monkeypatch.setattr(run_module, "STATEMENTS_AT_A_TIME", 2)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.statements.run(period_end=NOW, progress=stop)
    use(store, "100")
    receipt = store.statements.run(period_end=NOW)

    assert (receipt.finalized, receipt.repeated) == (1, 2)
    made = store.statements.list()
    assert len({each.id for each in made}) == 3
    assert sum(each.credits_applied for each in made) == (
        store.statements.to_table()["credits_applied"].to_numpy().sum()
    )


def test_every_period_that_ended_is_stated(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    clock.set(START)
    price = priced(store)
    subscription = subscribe(store, price, licensed_price(store, interval="week"))
    clock.set(END + 40 * DAY)
    ends = [START + week * 7 * DAY for week in range(1, 10)]

    early = store.statements.run(period_end=START + 15 * DAY, since=START + 7 * DAY)
    receipt = store.statements.run(period_end=END + 35 * DAY)

    assert early.statements["period_end"].to_pylist() == [ends[1]]
    assert receipt.statements["period_end"].to_pylist() == sorted(
        {END + 31 * DAY, *ends} - {ends[1]}
    )
    both = store.statements.list(start_time=START, end_time=END)[0]
    assert [(each.period_start, each.period_end) for each in both.lines] == [
        (ends[2], END),
        (START, END),
    ]
    assert {each.subscription for each in store.statements.list(limit=100)} == {
        subscription.id
    }


def test_a_void_statement_is_stated_anew(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    prepared(store, clock, customers=1)
    [first] = store.statements.run(period_end=NOW).statements["id"].to_pylist()
    left = balance(store)
    store.statements.void(first)
    use(store, "100")

    receipt = store.statements.run(period_end=NOW)

    [second] = receipt.statements["id"].to_pylist()
    assert second != first
    assert store.statements.retrieve(second).subtotal == (
        store.statements.retrieve(first).subtotal + 1_000
    )
    assert store.statements.run(period_end=NOW).repeated == 1
    assert balance(store) == left


def test_one_that_cannot_be_made_fails_no_other(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    one, _ = prepared(store, clock)
    store.statements.finalize(id="by hand", **february(one, customer="cus_2"))
    clock.advance(DAY)
    use(store, "99999999999999999", customer="cus_3")

    receipt = store.statements.run(period_end=NOW)

    assert (receipt.finalized, receipt.rejected) == (1, 2)
    told = {
        each["customer"]: (each["code"], each["message"])
        for each in receipt.rejections.to_pylist()
    }
    assert told["cus_2"][0] == "period_already_finalized"
    assert "by hand" in told["cus_2"][1]
    assert told["cus_3"][0] == "amount_too_large"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"period_end": NOW + DAY}, "period_end", "2026-03-01T12:00:00.000Z or before"),
    ({"period_end": "soon"}, "period_end", "'soon' is not an ISO 8601 time"),
    ({"period_end": NOW, "customers": [""]}, "customers[0]", "1 to 500"),
    ({"period_end": NOW, "customers": 5}, "customers", "several"),
    ({"period_end": NOW, "since": "soon"}, "since", "soon"),
]


@pytest.mark.parametrize(("given", "param", "words"), REFUSED)
def test_a_malformed_run_is_refused(
    store: metering.Metering, given: dict[str, Any], param: str, words: str
) -> None:
    with refused(None, param, words):
        store.statements.run(**given)
