"""The oracle of credits itself, held against literal answers worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.oracles.credits import (
    CreditsOracle,
    Invoice,
    Line,
    NewGrant,
    RefusedError,
    Wanted,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
TEN = NewGrant(customer="c", currency="usd", amount=10)


def oracle_with(**grants: NewGrant) -> CreditsOracle:
    oracle = CreditsOracle(unused_at_most=100)
    for name, asked in grants.items():
        oracle.create(name, asked, NOON)
    return oracle


def invoice(
    *amounts: int, name: str = "in_1", price: str | None = None, end: datetime = NOON
) -> Invoice:
    lines = tuple(
        Line(id=f"il_{number}", amount=amount, currency="usd", price=price)
        for number, amount in enumerate(amounts)
    )
    return Invoice(id=name, customer="c", period_end=end, lines=lines)


def drawn(
    oracle: CreditsOracle, asked: Invoice, now: datetime = NOON
) -> list[tuple[str | None, str, int]]:
    return [(each.line, each.grant, each.amount) for each in oracle.apply(asked, now)]


def test_lines_draw_in_their_order_and_each_from_one_grant_after_the_other() -> None:
    oracle = oracle_with(second=TEN, first=replace(TEN, priority=1))

    assert drawn(oracle, invoice(4, 0, 9, 20)) == [
        ("il_0", "first", 4),
        ("il_2", "first", 6),
        ("il_2", "second", 3),
        ("il_3", "second", 7),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            replace(TEN, priority=1),
            replace(TEN, priority=2, expires_at=NOON + HOUR),
        ),
        (
            replace(TEN, expires_at=NOON + HOUR),
            replace(TEN, expires_at=NOON + 2 * HOUR),
        ),
        (
            replace(TEN, expires_at=NOON + HOUR),
            replace(TEN, category="promotional"),
        ),
        (
            replace(TEN, category="promotional"),
            replace(TEN, effective_at=NOON - HOUR),
        ),
        (replace(TEN, effective_at=NOON - HOUR), TEN),
    ],
    ids=["priority", "expiry", "no expiry is last", "promotional", "effective"],
)
def test_each_rule_of_the_order_counts_before_the_next(
    first: NewGrant, second: NewGrant
) -> None:
    oracle = oracle_with(second=second, first=first)

    assert drawn(oracle, invoice(1)) == [("il_0", "first", 1)]


def test_of_grants_alike_the_first_created_is_drawn() -> None:
    assert drawn(oracle_with(b=TEN, a=TEN), invoice(1)) == [("il_0", "b", 1)]


@pytest.mark.parametrize(
    ("end", "now", "amount"),
    [
        (NOON, NOON, 1),
        (NOON - MICROSECOND, NOON, 0),
        (NOON + HOUR - MICROSECOND, NOON + HOUR - MICROSECOND, 1),
        (NOON + HOUR, NOON, 0),
        (NOON, NOON + HOUR, 0),
    ],
)
def test_a_grant_is_of_use_from_its_effect_until_before_its_expiry(
    end: datetime, now: datetime, amount: int
) -> None:
    oracle = oracle_with(grant=replace(TEN, expires_at=NOON + HOUR))

    movements = oracle.apply(invoice(1, end=end), now)

    assert sum(each.amount for each in movements) == amount


def test_a_pending_grant_is_on_the_ledger_and_pays_nothing_before_its_effect() -> None:
    oracle = oracle_with(grant=replace(TEN, effective_at=NOON + HOUR))

    assert drawn(oracle, invoice(1, end=NOON + HOUR)) == []
    assert oracle.balances("c", NOON) == [("usd", 10, 0)]
    assert oracle.balances("c", NOON + HOUR) == [("usd", 10, 10)]
    assert oracle.balances("c", NOON - MICROSECOND) == []


def test_prices_of_a_scope_decide_which_lines_and_which_questions_it_is_for() -> None:
    oracle = oracle_with(all=TEN, some=replace(TEN, prices=("p",), priority=1))

    assert drawn(oracle, invoice(1, price="p")) == [("il_0", "some", 1)]
    assert drawn(oracle, invoice(1, name="2", price="q")) == [("il_0", "all", 1)]
    assert drawn(oracle, invoice(1, name="3")) == [("il_0", "all", 1)]
    asked = {
        ("metered", ()): 8,
        ("prices", ("p", "q")): 17,
        ("prices", ("q",)): 8,
        ("grant", ("some",)): 9,
    }
    for (kind, names), left in asked.items():
        wanted = Wanted(kind=kind, names=names)  # type: ignore[arg-type]  # literal
        assert oracle.balances("c", NOON, wanted) == [("usd", left, left)]


def test_what_is_left_expires_though_nothing_is_called() -> None:
    oracle = oracle_with(grant=replace(TEN, expires_at=NOON + HOUR))
    drawn(oracle, invoice(4))

    assert oracle.balances("c", NOON + HOUR - MICROSECOND) == [("usd", 6, 6)]
    assert oracle.balances("c", NOON + HOUR) == [("usd", 0, 0)]
    newest, *_ = oracle.transactions(NOON + 5 * HOUR)
    assert (newest.kind, newest.instant, newest.amount) == ("expired", NOON + HOUR, 6)


def test_credits_given_back_after_the_expiry_are_gone_at_once() -> None:
    oracle = oracle_with(grant=replace(TEN, expires_at=NOON + HOUR))
    drawn(oracle, invoice(4))

    given_back = oracle.reinstate("in_1", NOON + HOUR)

    assert [(each.kind, each.amount) for each in given_back] == [
        ("reinstated", 4),
        ("expired", 4),
    ]
    history = oracle.transactions(NOON + HOUR)
    kinds = [each.kind for each in reversed(history)]
    assert kinds == ["granted", "applied", "expired", "reinstated", "expired"]
    assert oracle.reinstate("in_1", NOON + 2 * HOUR) == given_back


def test_credits_given_back_and_then_expired_by_hand_are_gone_once() -> None:
    oracle = oracle_with(grant=TEN)
    drawn(oracle, invoice(4))

    assert len(oracle.reinstate("in_1", NOON)) == 1
    oracle.expire(oracle.grants["grant"], NOON)

    newest, *_ = oracle.transactions(NOON)
    assert (newest.kind, newest.amount) == ("expired", 10)
    assert oracle.balances("c", NOON) == [("usd", 0, 0)]


def test_an_invoice_is_settled_once_and_what_contradicts_it_is_named() -> None:
    oracle = oracle_with(grant=TEN)
    first = oracle.apply(invoice(4), NOON)

    assert oracle.apply(invoice(4), NOON + HOUR) == first
    with pytest.raises(RefusedError) as caught:
        oracle.apply(replace(invoice(5, end=NOON + HOUR), customer="d"), NOON)
    assert caught.value.names == {"customer", "period_end", "lines"}
    oracle.reinstate("in_1", NOON)
    with pytest.raises(RefusedError, match="reinstated"):
        oracle.apply(invoice(4), NOON)
    assert oracle.position == 3


def test_only_a_living_grant_that_no_invoice_holds_can_be_voided() -> None:
    oracle = oracle_with(grant=TEN)
    grant = oracle.grants["grant"]
    drawn(oracle, invoice(4))

    with pytest.raises(RefusedError, match="used"):
        oracle.void(grant, NOON)
    oracle.reinstate("in_1", NOON)
    oracle.void(grant, NOON)
    for change in (oracle.void, oracle.expire):
        with pytest.raises(RefusedError, match="voided"):
            change(grant, NOON)
    assert oracle.balances("c", NOON) == [("usd", 0, 0)]
    assert drawn(oracle, invoice(1, name="in_2")) == []


def test_a_clock_that_goes_back_does_not_take_what_happened_back() -> None:
    oracle = oracle_with(grant=TEN)

    [movement] = oracle.apply(invoice(4), NOON - HOUR)

    assert movement.instant == NOON
    assert oracle.latest == NOON


def test_the_limit_counts_grants_that_may_still_become_part_of_an_invoice() -> None:
    oracle = CreditsOracle(unused_at_most=2)
    used = oracle.create("used", TEN, NOON)
    oracle.create("pending", replace(TEN, effective_at=NOON + HOUR), NOON)
    with pytest.raises(RefusedError, match="too many"):
        oracle.create("third", TEN, NOON)

    drawn(oracle, invoice(10))

    assert not oracle.is_unused(used, NOON)
    oracle.create("third", TEN, NOON)
