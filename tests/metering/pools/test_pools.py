"""Pools: members share grants, behind their own and within their caps."""

from collections.abc import Callable
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import (
    DAY,
    METERED,
    apply,
    balance,
    for_prices,
    grant,
    line,
    money,
    run,
    told,
    usd,
)
from tests.metering.usual_usage import NOW


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def pool(m: metering.Metering, *customers: str, **keywords: Any) -> metering.CreditPool:
    """The pool `team` with members."""
    made = m.credit_pools.create(**{"id": "team", **keywords})
    for customer in customers:
        m.credit_pools.add_member("team", customer=customer)
    return made


def pooled(m: metering.Metering, value: int = 1_000, **keywords: Any) -> str:
    """The id of a grant of the pool."""
    amount = money(value, keywords.pop("currency", "usd"))
    usual = {"pool": "team", "amount": amount, "applicability_config": METERED}
    return m.credit_grants.create(**{**usual, **keywords}).id


def left(m: metering.Metering, **keywords: Any) -> tuple[int, int, int]:
    """Ledger, available and held of the pool."""
    [found] = m.credit_pools.balance("team", **keywords).balances
    return (
        found.ledger_balance.monetary.value,
        found.available_balance.monetary.value,
        found.held_balance.monetary.value,
    )


def drawable(m: metering.Metering, customer: str) -> int:
    [found] = m.credit_pools.balance("team", customer=customer).drawable
    return found.monetary.value


def drawn(made: list[metering.CreditBalanceTransaction]) -> list[tuple[str, int]]:
    """The grant of each draw, and how much."""
    return [
        (each.credit_grant, each.debit.amount.monetary.value)
        for each in made
        if each.debit is not None
    ]


def held(
    m: metering.Metering, customer: str, value: int, name: str = "job_1", **others: Any
) -> int:
    made = m.credit_holds.create(
        id=name, customer=customer, amount=money(value), **others
    )
    return made.amount_held.monetary.value


def test_a_pool_is_told_as_it_was_made(m: metering.Metering) -> None:
    made = pool(m, name="Team", cap=money(500), metadata={"a": "b"})

    assert made == metering.CreditPool(
        id="team",
        archived_at=None,
        cap=usd(500),
        created=NOW,
        livemode=False,
        metadata={"a": "b"},
        name="Team",
        status="active",
        updated=NOW,
    )
    assert m.credit_pools.list() == [made]
    assert pool(m, name="Team", cap=money(500), metadata={"a": "b"}) == made


def test_members_draw_behind_their_own_each_named(m: metering.Metering) -> None:
    pool(m, "a", "b")
    shared = pooled(m, 1_000, priority=0)
    own = grant(m, 300, customer="a", priority=100).id

    of_a = apply(m, "in_a", line(500), customer="a")
    of_b = apply(m, "in_b", line(600), customer="b")
    of_c = apply(m, "in_c", line(600), customer="c")

    assert drawn(of_a) == [(own, 300), (shared, 200)]
    assert drawn(of_b) == [(shared, 600)]
    assert of_c == []
    assert [(each.pool, each.member) for each in of_a] == [(None, None), ("team", "a")]
    told_of = m.credit_balance_transactions.list(credit_grant=shared)
    assert [each.member for each in told_of] == ["b", "a", None]
    assert m.credit_balance_transactions.list("b") == of_b
    assert m.credit_balance_transactions.retrieve(of_b[0].id) == of_b[0]
    assert left(m) == (200, 200, 0)


def test_a_cap_bounds_what_a_member_draws_and_holds(m: metering.Metering) -> None:
    pool(m, "a", "b", cap=money(500))
    m.credit_pools.add_member("team", customer="c", cap=money(100))
    shared = pooled(m, 1_000)

    assert held(m, "a", 300) == 300
    assert drawn(apply(m, "in_a", line(400), customer="a")) == [(shared, 200)]
    assert drawn(apply(m, "in_c", line(400), customer="c")) == [(shared, 100)]
    with refused(code="insufficient_credits", param="amount"):
        held(m, "a", 1, "job_2")
    assert (drawable(m, "a"), drawable(m, "b"), drawable(m, "d")) == (0, 400, 0)

    m.credit_holds.settle("job_1", amount=100)

    assert drawn(apply(m, "in_a2", line(400), customer="a")) == [(shared, 200)]
    assert left(m) == (400, 400, 0)


def test_a_cap_is_of_lines_and_of_several_grants_together(m: metering.Metering) -> None:
    pool(m, "a", cap=money(250))
    first, second = pooled(m, 200, priority=1), pooled(m, 200, priority=2)

    made = apply(m, "in_a", line(150), line(150, id="il_2"), customer="a")

    assert drawn(made) == [(first, 150), (first, 50), (second, 50)]


def test_settling_beyond_a_hold_stays_within_the_cap(m: metering.Metering) -> None:
    pool(m, "a", cap=money(500))
    pooled(m, 1_000)
    held(m, "a", 300)

    settled = m.credit_holds.settle("job_1", amount=900, overage="draw")

    assert settled.amount_overdrawn == usd(200)
    assert settled.amount_uncovered == usd(400)


def test_what_a_hold_that_expired_kept_is_free_again(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    pool(m, "a", "b", cap=money(500))
    pooled(m, 500)
    held(m, "a", 500)
    with refused(code="insufficient_credits", param="amount"):
        held(m, "b", 1, "job_2")

    clock.set(NOW + 8 * DAY)

    assert held(m, "b", 400, "job_2") == 400
    assert held(m, "a", 100, "job_3") == 100
    assert left(m) == (500, 0, 500)


def test_voiding_a_members_invoice_gives_back_to_the_pool(m: metering.Metering) -> None:
    pool(m, "a", cap=money(300))
    shared = pooled(m, 1_000)
    apply(m, "in_a", line(300), customer="a")

    back = m.credits.reinstate(invoice="in_a")

    assert [(each.credit_grant, each.pool, each.member) for each in back] == [
        (shared, "team", "a")
    ]
    assert left(m) == (1_000, 1_000, 0)
    assert drawable(m, "a") == 300


def test_an_invoice_that_is_replaced_draws_what_it_gave_back(
    m: metering.Metering,
) -> None:
    pool(m, "a", "b", cap=money(300))
    shared = pooled(m, 300)
    apply(m, "in_a", line(300), customer="a")

    again = apply(m, "in_a", line(200), customer="a", replace=True)

    assert drawn(again) == [(shared, 200)]
    assert (left(m), drawable(m, "a")) == ((100, 100, 0), 100)

    m.credit_pools.remove_member("team", customer="a")

    assert apply(m, "in_a", line(150), customer="a", replace=True) == []
    assert left(m) == (300, 300, 0)


def test_who_left_draws_no_more_and_keeps_what_it_has(m: metering.Metering) -> None:
    pool(m, "a", cap=money(500))
    shared = pooled(m, 1_000)
    held(m, "a", 200)
    apply(m, "in_1", line(100), customer="a")

    gone = m.credit_pools.remove_member("team", customer="a")

    assert gone.left_at == NOW
    assert apply(m, "in_2", line(100), customer="a") == []
    assert m.credit_holds.settle("job_1").amount_drawn == usd(200)
    assert left(m) == (700, 700, 0)
    m.credit_pools.add_member("team", customer="a")
    assert drawn(apply(m, "in_3", line(400), customer="a")) == [(shared, 200)]


def test_an_archived_pool_gives_nothing_and_takes_nobody(m: metering.Metering) -> None:
    pool(m, "a")
    pooled(m, 1_000)

    closed = m.credit_pools.archive("team")

    assert (closed.status, closed.archived_at) == ("archived", NOW)
    assert m.credit_pools.archive("team") == closed
    assert apply(m, "in_1", customer="a") == []
    assert m.credit_pools.list_members("team") == []
    for refuse in (
        lambda: m.credit_pools.add_member("team", customer="b"),
        lambda: m.credit_pools.update("team", name="Other"),
        lambda: pooled(m),
    ):
        with refused(code="credit_pool_archived"):
            refuse()


def test_a_members_own_balance_has_nothing_of_the_pool(m: metering.Metering) -> None:
    pool(m, "a")
    pooled(m, 1_000)
    grant(m, 300, customer="a")
    apply(m, "in_a", line(500), customer="a")
    held(m, "a", 100)

    summary = m.credit_balance_summary.retrieve(customer="a")
    then = m.credit_balance_summary.retrieve(customer="a", at=NOW - DAY)
    history = m.credit_balance_summary.history(
        customer="a", start_time=NOW, end_time=NOW + DAY
    )

    assert balance(m, "a") == {"usd": (0, 0)}
    assert then.balances == ()
    assert history.column("ledger_balance").to_pylist() == [0]
    assert m.explain(summary).value == {"usd": 0}
    assert left(m) == (800, 700, 100)


def test_a_pools_grants_are_listed_changed_and_ended_as_others(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    pool(m, "a")
    first, second = pooled(m, 1_000, expires_at=NOW + DAY), pooled(m, 100)
    held(m, "a", 400)

    found = m.credit_grants.list(pool="team")
    assert [(each.id, each.customer, each.pool) for each in found] == [
        (second, None, "team"),
        (first, None, "team"),
    ]
    with refused(code="grant_in_use", param="id"):
        m.credit_grants.void(first)
    assert m.credit_grants.void(second).voided_at == NOW

    clock.set(NOW + 2 * DAY)
    m.credit_holds.release("job_1")

    transactions = m.credit_balance_transactions.list(credit_grant=first)
    assert told(transactions) == [
        ("credits_expired", -400),
        ("credits_expired", -600),
        ("credits_granted", 1_000),
    ]
    assert left(m) == (0, 0, 0)


def test_an_alert_on_a_members_credits_sees_its_own_alone(m: metering.Metering) -> None:
    pool(m, "a")
    pooled(m, 1_000)
    grant(m, 300, customer="a")
    m.alerts.create(
        title="low",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {"balance_type": "monetary", "monetary": money(100)["monetary"]}
        },
    )

    apply(m, "in_a", line(500), customer="a")
    m.catch_up()

    assert [each.customer for each in m.alerts.triggered()] == ["a"]


def test_a_billing_run_draws_as_its_invoices_one_by_one(m: metering.Metering) -> None:
    pool(m, "a", "b", cap=money(250))
    shared = [
        pooled(m, 200, priority=2),
        pooled(m, 300, priority=1, applicability_config=for_prices("price_2")),
    ]
    own = grant(m, 100, customer="a").id
    held(m, "b", 50, price="price_2")

    receipt = m.credits.apply_many(
        run(
            {"customer": "a", "amount": 150},
            {"invoice": "in_2", "customer": "b", "amount": 90},
            {"invoice": "in_2", "customer": "b", "line": "il_2", "price": "price_2"},
            {"invoice": "in_3", "customer": "c", "amount": 90},
            {"invoice": "in_4", "customer": "a", "amount": 150},
            {"invoice": "in_4", "customer": "a", "line": "il_2", "price": "price_2"},
        )
    )

    made = receipt.transactions
    assert [
        (
            made["invoice"][at].as_py(),
            made["credit_grant"][at].as_py(),
            made["amount"][at].as_py(),
        )
        for at in range(made.num_rows)
    ] == [
        ("in_1", own, 100),
        ("in_1", shared[0], 50),
        ("in_2", shared[0], 90),
        ("in_2", shared[1], 100),
        ("in_4", shared[0], 60),
        ("in_4", shared[1], 100),
    ]
    assert (drawable(m, "a"), drawable(m, "b")) == (40, 10)


def test_a_billing_run_that_replaces_gives_back_to_the_pool(
    m: metering.Metering,
) -> None:
    pool(m, "a", "b", cap=money(300))
    pooled(m, 300)
    m.credits.apply_many(run({"customer": "a", "amount": 300}))

    again = m.credits.apply_many(
        run(
            {"customer": "a", "amount": 200},
            {"invoice": "in_2", "customer": "b", "amount": 90},
        ),
        replace=True,
    )

    assert again.transactions["amount"].to_pylist() == [200, 90]
    assert (drawable(m, "a"), drawable(m, "b")) == (10, 10)


def test_members_are_listed_page_by_page(m: metering.Metering) -> None:
    pool(m, "a", "b", "c")

    page = m.credit_pools.list_members("team", limit=2)

    assert [each.customer for each in page.auto_paging_iter()] == ["c", "b", "a"]
    with refused(code="resource_missing", param="starting_after"):
        m.credit_pools.list_members("team", starting_after="d")


def _refusals() -> dict[str, tuple[str, str, Callable[[metering.Metering], object]]]:
    def cap(value: object, currency: str = "usd") -> Any:
        return money(value, currency)

    return {
        "itself": (
            "credit_pool_nested",
            "customer",
            lambda m: m.credit_pools.add_member("team", customer="team"),
        ),
        "another pool": (
            "credit_pool_nested",
            "customer",
            lambda m: m.credit_pools.add_member("team", customer="other"),
        ),
        "under the name of a member": (
            "credit_pool_nested",
            "id",
            lambda m: m.credit_pools.create(id="a"),
        ),
        "unknown pool": (
            "resource_missing",
            "id",
            lambda m: m.credit_pools.add_member("none", customer="a"),
        ),
        "a grant of an unknown pool": (
            "resource_missing",
            "pool",
            lambda m: pooled(m, pool="none"),
        ),
        "a grant of both": (
            "parameters_exclusive",
            "customer",
            lambda m: pooled(m, customer="a"),
        ),
        "a grant of nobody": (
            "parameter_missing",
            "customer",
            lambda m: pooled(m, pool=None),
        ),
        "joining twice": (
            "credit_pool_member_exists",
            "customer",
            lambda m: m.credit_pools.add_member("team", customer="a"),
        ),
        "leaving without having joined": (
            "credit_pool_member_missing",
            "customer",
            lambda m: m.credit_pools.remove_member("team", customer="d"),
        ),
        "a cap of nothing": (
            "parameter_invalid",
            "cap[monetary][value]",
            lambda m: m.credit_pools.update("team", cap=cap(0)),
        ),
        "a cap below what was drawn": (
            "credit_pool_cap_exceeded",
            "cap[monetary][value]",
            lambda m: m.credit_pools.update("team", cap=cap(299)),
        ),
        "a cap below what one drew that left": (
            "credit_pool_cap_exceeded",
            "cap[monetary][value]",
            lambda m: m.credit_pools.add_member("team", customer="b", cap=cap(99)),
        ),
        "a cap in another currency": (
            "credit_pool_currency",
            "cap[monetary][currency]",
            lambda m: m.credit_pools.update("team", cap=cap(900, "eur")),
        ),
        "a grant in another currency": (
            "credit_pool_currency",
            "amount[monetary][currency]",
            lambda m: pooled(m, currency="eur"),
        ),
        "a pool of other content": (
            "credit_pool_conflict",
            "id",
            lambda m: m.credit_pools.create(id="team", name="Other"),
        ),
    }


def test_what_is_wrong_is_one_error_and_nothing_is_recorded(
    m: metering.Metering,
) -> None:
    pool(m, "a", "b", cap=money(400))
    m.credit_pools.create(id="other")
    pooled(m)
    apply(m, "in_a", line(200), customer="a")
    held(m, "a", 100)
    apply(m, "in_b", line(100), customer="b")
    m.credit_pools.remove_member("team", customer="b")
    before = m.status().position

    for code, param, act in _refusals().values():
        with refused(code=code, param=param):
            act(m)

    assert m.status().position == before
