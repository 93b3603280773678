"""An invoice is corrected in one commit: given back, and drawn again with other lines."""

from itertools import pairwise
from typing import Any

import pytest

import metering
from metering.credits.settlement import sources
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import (
    DAY,
    apply,
    balance,
    for_prices,
    grant,
    line,
    run,
    told,
)
from tests.metering.usual_usage import NOW

VOIDED = "credits_application_invoice_voided"


def listed(store: metering.Metering) -> list[tuple[str, int]]:
    """Everything that happened to the customer's credits, oldest first."""
    transactions = store.credit_balance_transactions.list(customer="cus_1", limit=100)
    return told(list(transactions))[::-1]


@pytest.mark.dialect
def test_an_invoice_gives_back_and_draws_again_in_one_commit(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store, 1_000)
    apply(store, "in_1", line(700))
    commits = store.verify().commits

    drew = apply(store, "in_1", line(250), line(50, id="il_2"), replace=True)

    assert told(drew) == [("credits_applied", -250), ("credits_applied", -50)]
    assert balance(store) == {"usd": (700, 700)}
    assert listed(store) == [
        ("credits_granted", 1_000),
        ("credits_applied", -700),
        (VOIDED, 700),
        ("credits_applied", -250),
        ("credits_applied", -50),
    ]
    report = store.verify()
    assert (report.commits, report.problems) == (commits + 1, ())
    ids = [each.id for each in store.credit_balance_transactions.list("cus_1")]
    assert len(set(ids)) == 5
    assert [store.credit_balance_transactions.retrieve(each).id for each in ids] == ids


def test_the_same_content_again_changes_nothing(store: metering.Metering) -> None:
    grant(store, 1_000)
    apply(store, "in_1", line(700), replace=True)
    drew = apply(store, "in_1", line(300), replace=True)
    position = store.position

    assert apply(store, "in_1", line(300), replace=True) == drew
    assert apply(store, "in_1", line(300)) == drew
    assert store.credits.preview(
        invoice="in_1", customer="cus_1", period_end=NOW, lines=[line(300)]
    ) == drew  # fmt: skip
    with refused("invoice_conflict", "invoice", "lines", kind=CONFLICT):
        apply(store, "in_1", line(700))
    assert store.position == position


CONFLICT: Any = metering.InvoiceConflictError


def test_an_invoice_is_replaced_any_number_of_times(store: metering.Metering) -> None:
    grant(store, 1_000)
    amounts = [100, 400, 400, 0, 1_000, 1_500, 100]
    for before, after in pairwise([None, *amounts]):
        position = store.position

        drew = apply(store, "in_1", line(after), replace=True)

        added = 1 if before is None else 0 if before == after else 2
        assert store.position == position + added
        assert sum(-amount for _, amount in told(drew)) == min(after or 0, 1_000)
    assert balance(store) == {"usd": (900, 900)}
    assert store.verify().ok
    before_rebuild = listed(store)
    store.rebuild()
    assert listed(store) == before_rebuild
    assert store.verify().ok


def test_what_may_be_drawn_is_judged_anew(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    short = grant(store, 500, expires_at=NOW + DAY)
    grant(store, 500, applicability_config=for_prices("price_2"))
    apply(store, "in_1", line(400))
    clock.advance(DAY)

    expected = store.credits.preview(
        invoice="in_1",
        customer="cus_1",
        period_end=NOW,
        lines=[line(400), line(100, id="il_2", price="price_2")],
        replace=True,
    )
    drew = apply(
        store, "in_1", line(400), line(100, id="il_2", price="price_2"), replace=True
    )

    # What came back to the grant that is expired by now expired at once.
    assert told(expected) == told(drew) == [("credits_applied", -100)]
    assert listed(store)[-4:-1] == [
        ("credits_expired", -100),
        (VOIDED, 400),
        ("credits_expired", -400),
    ]
    of_short = store.credit_balance_transactions.list(credit_grant=short.id)
    assert sum(amount for _, amount in told(list(of_short))) == 0


def test_another_period_end_or_currency_replaces_as_well(
    store: metering.Metering,
) -> None:
    grant(store, 500, effective_at=NOW)
    grant(store, 500, currency="eur")
    apply(store, "in_1", line(400))

    assert apply(store, "in_1", line(400), period_end=NOW - DAY, replace=True) == []
    drew = apply(store, "in_1", line(100, currency="eur"), replace=True)

    assert drew[0].debit is not None
    assert drew[0].debit.amount.monetary.currency == "eur"
    assert balance(store) == {"eur": (400, 400), "usd": (500, 500)}


def test_an_invoice_of_another_customer_is_refused(store: metering.Metering) -> None:
    grant(store, 500)
    apply(store, "in_1", line(400))

    with refused("invoice_conflict", "invoice", "customer", kind=CONFLICT) as _:
        apply(store, "in_1", line(1), customer="cus_2", replace=True)


@pytest.mark.parametrize("amount", [400, 1])
def test_an_invoice_that_was_voided_is_not_replaced(
    store: metering.Metering, amount: int
) -> None:
    grant(store, 500)
    apply(store, "in_1", line(400))
    store.credits.reinstate(invoice="in_1")

    with refused("invoice_reinstated", "invoice"):
        apply(store, "in_1", line(amount), replace=True)
    assert balance(store) == {"usd": (500, 500)}


def test_reinstating_gives_back_what_is_held_by_then(store: metering.Metering) -> None:
    grant(store, 500)
    apply(store, "in_1", line(400))
    apply(store, "in_1", line(150), replace=True)

    given_back = store.credits.reinstate(invoice="in_1")

    assert told(given_back) == [(VOIDED, 150)]
    assert store.credits.reinstate(invoice="in_1") == given_back
    assert balance(store) == {"usd": (500, 500)}


def test_each_step_is_an_event(store: metering.Metering) -> None:
    grant(store, 500)
    store.webhook_endpoints.create(url="https://example.com", enabled_events=["*"])
    apply(store, "in_1", line(400))
    apply(store, "in_1", line(150), replace=True)

    events = store.events.list(type="billing.credit_balance_transaction.created")

    of_credits = [
        each.data.object
        for each in events
        if isinstance(each.data.object, metering.CreditBalanceTransaction)
    ]
    assert told(of_credits)[::-1] == listed(store)


@pytest.mark.dialect
def test_a_run_replaces_what_earlier_runs_settled(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store, 300)
    store.credits.apply_many(
        run({"invoice": "in_1"}, {"invoice": "in_2"}, {"invoice": "in_3"})
    )
    assert balance(store) == {"usd": (0, 0)}
    corrected = run(
        {"invoice": "in_4", "amount": 5},
        {"invoice": "in_2", "amount": 20},
        {"invoice": "in_4", "amount": 6, "line": "il_2"},
        {"invoice": "in_3"},
        {"invoice": "in_1", "amount": 500},
        {"invoice": "in_5", "customer": "cus_2"},
        {"invoice": "in_6", "currency": "gold"},
    )

    conflicts = store.credits.apply_many(corrected.slice(1, 1))
    expected = store.credits.preview_many(corrected, replace=True)
    receipt = store.credits.apply_many(corrected, replace=True)

    assert conflicts.rejections["code"].to_pylist() == ["invoice_conflict"]
    # The first invoice finds nothing: those behind it have given nothing back yet.
    drew = list(
        zip(
            receipt.transactions["invoice"].to_pylist(),
            receipt.transactions["amount"].to_pylist(),
            strict=True,
        )
    )
    assert drew == [("in_2", 20), ("in_3", 100), ("in_1", 180)]
    assert expected.transactions.drop_columns("id") == (
        receipt.transactions.drop_columns("id")
    )
    for each in (expected, receipt):
        assert (each.applied, each.replaced, each.repeated) == (2, 2, 1)
        assert each.rejected == 1
    position = store.position
    again = store.credits.apply_many(corrected, replace=True)
    assert (again.applied, again.replaced, again.repeated) == (0, 0, 5)
    assert again.transactions == receipt.transactions
    assert store.position == position
    assert store.verify().ok


@pytest.mark.parametrize("rows_at_a_time", [50_000, 1])
def test_a_run_does_not_replace_what_it_settled_itself(
    store: metering.Metering,
    rows_at_a_time: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "_ROWS_AT_A_TIME", rows_at_a_time)
    grant(store, 1_000)
    apply(store, "in_1", line(9))
    twice = run(
        {"invoice": "in_1", "amount": 10},
        {"invoice": "in_2", "amount": 20},
        {"invoice": "in_1", "amount": 30},
        {"invoice": "in_2", "amount": 40},
        {"invoice": "in_1", "amount": 10},
    )

    receipt = store.credits.apply_many(twice, replace=True)

    assert (receipt.applied, receipt.replaced, receipt.repeated) == (1, 1, 1)
    assert [(each["row"], each["code"]) for each in receipt.rejections.to_pylist()] == [
        (2, "invoice_conflict"),
        (3, "invoice_conflict"),
    ]
    assert balance(store) == {"usd": (970, 970)}


def test_progress_counts_what_was_replaced(store: metering.Metering) -> None:
    grant(store, 1_000)
    apply(store, "in_1", line(9))
    seen: list[metering.CreditsProgress] = []

    store.credits.apply_many(run({}, {"invoice": "in_2"}), seen.append, replace=True)

    assert [(each.applied, each.replaced) for each in seen] == [(1, 1)]
