"""Holds: reserve, then settle or release; a cent is held once."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import amounts, balances, hold
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, apply, grant, line, money, usd
from tests.metering.usual_usage import NOW

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def clock() -> metering.FixedClock:
    return metering.FixedClock(NOW)


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def test_a_hold_is_told_as_it_was_made(m: metering.Metering) -> None:
    late = grant(m, 500, priority=60)
    first = grant(m, 300, priority=10)

    made = hold(m, 400, metadata={"a": "b"}, price="price_1")

    assert made == metering.CreditHold(
        id="job_1",
        allocations=(
            metering.HoldAllocation(credit_grant=first.id, amount=300),
            metering.HoldAllocation(credit_grant=late.id, amount=100),
        ),
        amount=usd(400),
        amount_drawn=usd(0),
        amount_held=usd(400),
        amount_overdrawn=usd(0),
        amount_released=usd(0),
        amount_uncovered=usd(0),
        created=NOW,
        customer="cus_1",
        expires_at=NOW + 7 * DAY,
        livemode=False,
        metadata={"a": "b"},
        partial=False,
        price="price_1",
        status="open",
    )
    assert m.credit_holds.retrieve("job_1") == made
    assert m.credit_holds.list() == [made]
    assert balances(m) == (800, 400, 400)


def test_invoices_and_other_holds_draw_only_what_is_free(m: metering.Metering) -> None:
    grant(m, 1_000)
    hold(m, 800)

    with refused(code="insufficient_credits", param="amount"):
        hold(m, 201, "job_2")
    apply(m, "in_1", line(900))

    assert amounts(hold(m, 50, "job_2", partial=True)) == (0, 0, 0)
    assert balances(m) == (800, 0, 800)


def test_what_is_settled_is_drawn_and_the_rest_goes_back(m: metering.Metering) -> None:
    first, second = grant(m, 500, priority=1), grant(m, 500)
    hold(m, 800)

    settled = m.credit_holds.settle("job_1", amount=600)

    assert (settled.status, *amounts(settled)) == ("settled", 0, 600, 200)
    assert balances(m) == (400, 400, 0)
    drawn = m.credit_balance_transactions.list("cus_1", limit=2)
    assert [(each.credit_grant, each.debit) for each in drawn[::-1]] == [
        (each.id, of_invoice(usd(amount), "job_1"))
        for each, amount in ((first, 500), (second, 100))
    ]


def of_invoice(
    amount: metering.CreditAmount, invoice: str
) -> metering.CreditTransactionDebit:
    return metering.CreditTransactionDebit(
        amount=amount,
        type="credits_applied",
        credits_applied=metering.InvoiceLineItem(
            invoice=invoice, invoice_line_item=invoice
        ),
    )


def test_a_hold_is_settled_in_parts_under_ids_of_their_own(
    m: metering.Metering,
) -> None:
    grant(m, 1_000)
    hold(m, 800)
    with refused(code="parameter_missing", param="settlement"):
        m.credit_holds.settle("job_1", amount=1, final=False)

    first = m.credit_holds.settle("job_1", amount=100, final=False, settlement="a")
    again = m.credit_holds.settle("job_1", amount=100, final=False, settlement="a")
    second = m.credit_holds.settle("job_1", amount=200, final=False, settlement="b")
    rest = m.credit_holds.settle("job_1")

    assert first == again
    assert (first.status, *amounts(first)) == ("open", 700, 100, 0)
    assert (second.status, *amounts(second)) == ("open", 500, 300, 0)
    assert (rest.status, *amounts(rest)) == ("settled", 0, 800, 0)
    assert m.credit_holds.settle("job_1", settlement="a", final=False) == first


def test_more_than_is_held_is_refused_or_drawn_from_what_is_free(
    m: metering.Metering,
) -> None:
    grant(m, 1_000)
    hold(m, 800)
    hold(m, 150, "job_2")

    with refused(code="exceeds_hold", param="amount"):
        m.credit_holds.settle("job_1", amount=801)
    settled = m.credit_holds.settle("job_1", amount=900, overage="draw")

    assert amounts(settled) == (0, 800, 0)
    assert (settled.amount_overdrawn, settled.amount_uncovered) == (usd(50), usd(50))
    assert balances(m) == (150, 0, 150)


def test_a_settlement_is_given_back_as_an_invoice_is(m: metering.Metering) -> None:
    grant(m, 1_000)
    hold(m, 800)
    m.credit_holds.settle("job_1", amount=100, final=False, settlement="a")
    m.credit_holds.settle("job_1", amount=300)

    m.credits.reinstate(invoice="job_1")
    m.credits.reinstate(invoice="job_1/a")

    assert m.credit_holds.retrieve("job_1").status == "settled"
    assert balances(m) == (1_000, 1_000, 0)


def test_a_released_hold_gives_all_back_and_doing_it_again_is_the_same(
    m: metering.Metering,
) -> None:
    grant(m, 1_000)
    hold(m, 800)

    released = m.credit_holds.release("job_1")

    assert (released.status, *amounts(released)) == ("released", 0, 0, 800)
    assert m.credit_holds.release("job_1") == released
    assert balances(m) == (1_000, 1_000, 0)
    assert len(m.credit_balance_transactions.list("cus_1")) == 1


def test_a_hold_expires_at_its_instant_though_nothing_runs(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(m, 1_000)
    hold(m, 800, expires_at=NOW + DAY)
    hold(m, 100, "job_2", expires_at=NOW + DAY)

    clock.advance(DAY - MICROSECOND)
    m.credit_holds.settle("job_2")
    assert balances(m) == (900, 100, 800)
    clock.advance(MICROSECOND)

    assert balances(m) == (900, 900, 0)
    with refused(code="hold_expired", param="id"):
        m.credit_holds.settle("job_1", amount=0)
    expired = m.credit_holds.release("job_1")
    assert (expired.status, *amounts(expired)) == ("expired", 0, 0, 800)
    assert m.credit_holds.list(status="expired") == [expired]
    assert m.credit_holds.list(status="open") == []
    assert [each.id for each in m.credit_holds.list(status="settled")] == ["job_2"]


def test_what_is_held_of_a_grant_outlives_it(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(m, 1_000, expires_at=NOW + DAY)
    hold(m, 800)

    clock.advance(2 * DAY)
    assert balances(m) == (800, 0, 800)
    m.credit_holds.settle("job_1", amount=500)

    found = m.credit_balance_transactions.list("cus_1")
    assert [
        (each.debit.type, each.debit.amount.monetary.value, each.created)
        for each in found
        if each.debit is not None
    ] == [
        ("credits_expired", 300, NOW + 2 * DAY),
        ("credits_applied", 500, NOW + 2 * DAY),
        ("credits_expired", 200, NOW + DAY),
    ]
    assert balances(m) == (0, 0, 0)


def test_a_grant_that_is_held_expires_in_part_and_is_not_voided(
    m: metering.Metering,
) -> None:
    made = grant(m, 1_000)
    hold(m, 800)

    with refused(code="grant_in_use", param="id"):
        m.credit_grants.void(made.id)
    m.credit_grants.expire(made.id)
    assert balances(m) == (800, 0, 800)
    m.credit_holds.release("job_1")

    assert balances(m) == (0, 0, 0)


def test_the_same_hold_answers_as_the_first_time_whatever_became_of_it(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(m, 1_000)
    made = hold(m, 800)
    m.credit_holds.settle("job_1", amount=10)
    clock.advance(DAY)

    assert hold(m, 800) == made
    assert balances(m) == (990, 990, 0)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("amount", {"amount": money(801)}),
        ("customer", {"customer": "cus_2"}),
        ("price", {"price": "price_1"}),
        ("expires_at", {"expires_at": NOW + DAY}),
        ("partial", {"partial": True}),
        ("metadata", {"metadata": {"a": "b"}}),
    ],
)
def test_an_id_is_used_once(
    m: metering.Metering, field: str, other: dict[str, Any]
) -> None:
    grant(m, 1_000)
    hold(m, 800)

    with refused("hold_conflict", "id", field):
        hold(m, **other)


def test_a_refused_hold_leaves_its_id_free(m: metering.Metering) -> None:
    with refused(code="insufficient_credits", param="amount"):
        hold(m, 800)
    position = m.position
    grant(m, 1_000)

    assert hold(m, 800).status == "open"
    assert m.position == position + 2


def test_a_settlement_is_made_once(m: metering.Metering) -> None:
    grant(m, 1_000)
    hold(m, 800)
    settled = m.credit_holds.settle("job_1", amount=10)

    assert m.credit_holds.settle("job_1", amount=10) == settled
    assert m.credit_holds.settle("job_1") == settled
    with refused(code="settlement_conflict", param="amount"):
        m.credit_holds.settle("job_1", amount=11)
    with refused(code="hold_settled", param="id"):
        m.credit_holds.settle("job_1", settlement="a")
    with refused(code="hold_settled", param="id"):
        m.credit_holds.release("job_1")


def test_the_id_of_a_hold_is_no_invoice_and_no_statement(m: metering.Metering) -> None:
    grant(m, 1_000)
    hold(m, 800)
    apply(m, "in_1", line(1))

    with refused(code="invoice_is_hold", param="invoice"):
        apply(m, "job_1", line(1))
    with refused(code="hold_conflict", param="id"):
        hold(m, 1, "in_1")


def test_a_settlement_is_named_like_no_other_hold_or_invoice(
    m: metering.Metering,
) -> None:
    grant(m, 1_000)
    hold(m, 100, "job_1")
    hold(m, 100, "job_1/a")
    apply(m, "job_1/b", line(1))

    for settlement in ("a", "b"):
        with refused(code="settlement_conflict", param="settlement"):
            m.credit_holds.settle("job_1", settlement=settlement)
    m.credit_holds.settle("job_1", settlement="c")

    assert m.credit_holds.settle("job_1/a").status == "settled"
    with refused(code="hold_conflict", param="id"):
        hold(m, 1, "job_1/c")


@pytest.mark.parametrize(
    ("deed", "param"),
    [
        (lambda m: hold(m, 0), "amount[monetary][value]"),
        (lambda m: hold(m, -1), "amount[monetary][value]"),
        (lambda m: hold(m, 10**12), "amount[monetary][value]"),
        (lambda m: hold(m, amount=money(1, "zzz")), "amount[monetary][currency]"),
        (lambda m: hold(m, amount=money(5, "kwd")), "amount[monetary][value]"),
        (lambda m: hold(m, 1, ""), "id"),
        (lambda m: hold(m, customer=""), "customer"),
        (lambda m: hold(m, expires_at=NOW), "expires_at"),
        (lambda m: hold(m, expires_at=NOW + 31 * DAY), "expires_at"),
        (lambda m: m.credit_holds.settle("job_0", amount=-1), "amount"),
        (lambda m: m.credit_holds.settle("job_0", overage="owe"), "overage"),
        (lambda m: m.credit_holds.settle("job_9"), "id"),
        (lambda m: m.credit_holds.release("job_9"), "id"),
        (lambda m: m.credit_holds.retrieve("job_9"), "id"),
        (lambda m: m.credit_holds.list(status="lost"), "status"),
        (lambda m: m.credit_holds.list(starting_after="job_9"), "starting_after"),
    ],
)
def test_what_is_wrong_with_a_hold_is_one_clear_error(
    store: metering.Metering, deed: Callable[[metering.Metering], object], param: str
) -> None:
    grant(store, 1_000)
    hold(store, 10, "job_0")
    position = store.position

    with refused(param=param):
        deed(store)

    assert store.position == position


def test_a_customer_has_a_hundred_open_holds_at_most(store: metering.Metering) -> None:
    grant(store, 1_000)
    for number in range(100):
        hold(store, 1, f"job_{number}")

    with refused(code="hold_limit_reached", param="customer"):
        hold(store, 1, "job_100")
    store.credit_holds.release("job_7")

    assert hold(store, 1, "job_100").status == "open"


Deed = Callable[[metering.Metering, int], object]


def all_at_once(stores: list[metering.Metering], deed: Deed) -> list[str]:
    """The codes with which six threads were refused, or that they were not."""
    outcomes: list[str] = []
    start = Barrier(6)

    def run(number: int) -> None:
        start.wait()
        try:
            deed(stores[number % 2], number)
        except metering.InvalidRequestError as error:
            outcomes.append(str(error.code))
        else:
            outcomes.append("done")

    threads = [Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


@pytest.mark.dialect
def test_of_threads_that_race_for_the_last_credit_one_wins(connect: Connect) -> None:
    """Each thread holds all that is left; later all settle or release the one hold."""
    stores = [connect(), connect()]
    grant(stores[0], 500)

    held = all_at_once(stores, lambda m, number: hold(m, 500, f"job_{number}"))
    [won] = stores[0].credit_holds.list()
    ended = all_at_once(
        stores,
        lambda m, number: getattr(m.credit_holds, ("settle", "release")[number % 2])(
            won.id
        ),
    )

    assert held == ["done"] + ["insufficient_credits"] * 5
    status = stores[1].credit_holds.retrieve(won.id).status
    assert ended == ["done"] * 3 + [f"hold_{status}"] * 3
    left = 500 if status == "released" else 0
    assert balances(stores[0]) == (left, left, 0)
