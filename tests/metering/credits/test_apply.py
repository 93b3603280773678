"""Applying credits to invoices, previewing it, and giving the credits back."""

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
    told,
    usd,
)
from tests.metering.usual_usage import NOW


def test_an_invoice_draws_credits_line_by_line(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    paid = grant(store, 1_000)
    gift = grant(store, 250, category="promotional")
    clock.advance(DAY)

    first, second, third = apply(
        store, "in_1", line(200, id="il_1"), line(0, id="il_0"), line(100, id="il_2")
    )

    assert first == metering.CreditBalanceTransaction(
        id=first.id,
        created=NOW + DAY,
        credit=None,
        credit_grant=gift.id,
        debit=metering.CreditTransactionDebit(
            amount=usd(200),
            type="credits_applied",
            credits_applied=metering.InvoiceLineItem(
                invoice="in_1", invoice_line_item="il_1"
            ),
        ),
        effective_at=NOW + DAY,
        livemode=False,
        type="debit",
    )
    assert [each.credit_grant for each in (second, third)] == [gift.id, paid.id]
    assert told([second, third]) == [("credits_applied", -50), ("credits_applied", -50)]
    assert balance(store) == {"usd": (950, 950)}


@pytest.mark.dialect
def test_applying_again_answers_the_same_and_draws_nothing(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    grant(store)
    first = apply(store)
    clock.advance(DAY)
    grant(store, priority=0)

    again = apply(connect(clock=clock), "in_1", line(currency="USD"))

    assert again == first
    assert store.position == 3


def test_an_invoice_that_found_no_credit_is_settled_all_the_same(
    store: metering.Metering,
) -> None:
    assert apply(store) == []
    grant(store)

    assert apply(store) == []
    assert balance(store) == {"usd": (1_000, 1_000)}


@pytest.mark.parametrize(
    ("others", "fields"),
    [
        ({"customer": "cus_2"}, ("customer",)),
        ({"period_end": NOW + DAY}, ("period_end",)),
        ({"lines": [line(101)]}, ("lines",)),
        ({"lines": [line(price=None)]}, ("lines",)),
        ({"lines": [line(currency="eur")]}, ("lines",)),
        ({"lines": [line(), line(id="il_2")]}, ("lines",)),
        (
            {"customer": "cus_2", "period_end": 0, "lines": [line(5)]},
            ("customer", "period_end", "lines"),
        ),
    ],
)
def test_an_invoice_of_other_content_is_a_conflict(
    store: metering.Metering, others: dict[str, Any], fields: tuple[str, ...]
) -> None:
    grant(store)
    apply(store)

    for settle in (store.credits.apply, store.credits.preview):
        with pytest.raises(metering.InvoiceConflictError) as refusal:
            settle(
                **{
                    "invoice": "in_1",
                    "customer": "cus_1",
                    "period_end": NOW,
                    "lines": [line()],
                    **others,
                }
            )
        assert refusal.value.fields == fields
        assert refusal.value.invoice == "in_1"

    assert store.position == 2


def test_a_preview_answers_what_applying_would_and_records_nothing(
    store: metering.Metering,
) -> None:
    grant(store, 50)
    grant(store)
    invoice: dict[str, Any] = {
        "invoice": "in_1",
        "customer": "cus_1",
        "period_end": NOW,
        "lines": [line()],
    }

    previewed = store.credits.preview(**invoice)
    position = store.position
    made = store.credits.apply(**invoice)

    assert position == 2
    assert [each.id for each in previewed] == ["cbtxn_tmp_1", "cbtxn_tmp_2"]
    assert [(each.credit_grant, each.debit) for each in previewed] == [
        (each.credit_grant, each.debit) for each in made
    ]
    assert store.credits.preview(**invoice) == made


def test_reinstated_credits_are_there_again(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    made = grant(store)
    apply(store, "in_1", line(100), line(50, id="il_2"))
    clock.advance(DAY)

    first, second = store.credits.reinstate(invoice="in_1")
    again = store.credits.reinstate(invoice="in_1")

    assert again == [first, second]
    assert store.position == 3
    assert first == metering.CreditBalanceTransaction(
        id=first.id,
        created=NOW + DAY,
        credit=metering.CreditTransactionCredit(
            amount=usd(100),
            type="credits_application_invoice_voided",
            credits_application_invoice_voided=metering.InvoiceLineItem(
                invoice="in_1", invoice_line_item="il_1"
            ),
        ),
        credit_grant=made.id,
        debit=None,
        effective_at=NOW + DAY,
        livemode=False,
        type="credit",
    )
    assert told([second]) == [("credits_application_invoice_voided", 50)]
    assert balance(store) == {"usd": (1_000, 1_000)}


def test_credits_given_back_to_an_expired_grant_expire_at_once(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, expires_at=NOW + DAY)
    apply(store)
    clock.advance(DAY)

    made = store.credits.reinstate(invoice="in_1")

    assert told(made) == [
        ("credits_application_invoice_voided", 100),
        ("credits_expired", -100),
    ]
    assert balance(store) == {"usd": (0, 0)}


def test_a_reinstated_invoice_is_not_settled_another_time(
    store: metering.Metering,
) -> None:
    grant(store)
    apply(store)
    store.credits.reinstate(invoice="in_1")

    with refused("invoice_reinstated", "invoice", "in_1"):
        apply(store)


def test_an_invoice_that_was_never_settled_has_nothing_to_give_back(
    store: metering.Metering,
) -> None:
    with refused(param="invoice", kind=metering.ResourceMissingError):
        store.credits.reinstate(invoice="in_1")

    assert store.position == 0


def test_an_invoice_draws_only_what_is_eligible(store: metering.Metering) -> None:
    grant(store, currency="eur")
    grant(store, customer="cus_2")
    grant(store, effective_at=NOW + DAY)
    store.credit_grants.void(grant(store).id)
    store.credit_grants.expire(grant(store).id)
    listed = grant(store, applicability_config=for_prices("price_2"))

    made = apply(store, "in_1", line(), line(id="il_2", price="price_2"))

    assert [(each.credit_grant, each.debit) for each in made] == [
        (listed.id, made[0].debit)
    ]


def test_a_period_must_end_while_a_grant_is_effective(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, expires_at=NOW + 2 * DAY)
    clock.advance(DAY)

    before = apply(store, "in_1", period_end=NOW - DAY)
    after = apply(store, "in_2", period_end=NOW + 2 * DAY)
    within = apply(store, "in_3", period_end=NOW + 2 * DAY - DAY / 86_400_000_000)

    assert (before, after) == ([], [])
    assert told(within) == [("credits_applied", -100)]


def test_a_grant_pays_nothing_that_expired_before_the_invoice_is_applied(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, expires_at=NOW + DAY)
    invoice: dict[str, Any] = {
        "customer": "cus_1",
        "period_end": NOW,
        "lines": [line(100)],
    }
    expected = store.credits.preview(invoice="in_1", **invoice)
    last = store.credits.preview(invoice="in_0", **invoice)
    clock.advance(DAY)

    drew = store.credits.apply(invoice="in_1", **invoice)

    assert told(expected) == told(last) == [("credits_applied", -100)]
    assert drew == store.credits.preview(invoice="in_2", **invoice) == []


def test_a_grant_pays_nothing_that_becomes_effective_after_the_period_or_now(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    grant(store, effective_at=NOW + DAY)

    before = apply(store, "in_1", period_end=NOW + 2 * DAY)
    clock.advance(DAY)
    late = apply(store, "in_2", period_end=NOW + 2 * DAY)
    of_the_past = apply(store, "in_3", period_end=NOW)

    assert (before, of_the_past) == ([], [])
    assert told(late) == [("credits_applied", -100)]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"invoice": ""}, "parameter_invalid", "invoice"),
    ({"invoice": None}, "parameter_missing", "invoice"),
    ({"invoice": "i" * 256}, "parameter_invalid", "invoice"),
    ({"customer": None}, "parameter_missing", "customer"),
    ({"period_end": "x"}, "timestamp_invalid", "period_end"),
    ({"lines": None}, "parameter_missing", "lines"),
    ({"lines": []}, "parameter_invalid", "lines"),
    ({"lines": "lines"}, "parameter_invalid", "lines"),
    ({"lines": [5]}, "parameter_invalid", "lines[0]"),
    ({"lines": [line(of=5)]}, "parameter_unknown", "lines[0][of]"),
    ({"lines": [line(id=None)]}, "parameter_missing", "lines[0][id]"),
    ({"lines": [line(id="")]}, "parameter_invalid", "lines[0][id]"),
    ({"lines": [line(None)]}, "parameter_missing", "lines[0][amount]"),
    ({"lines": [line(-1)]}, "parameter_invalid", "lines[0][amount]"),
    ({"lines": [line(1.5)]}, "parameter_invalid", "lines[0][amount]"),
    ({"lines": [line(10**12)]}, "parameter_invalid", "lines[0][amount]"),
    ({"lines": [line(currency=None)]}, "parameter_missing", "lines[0][currency]"),
    ({"lines": [line(currency="zzz")]}, "parameter_invalid", "lines[0][currency]"),
    ({"lines": [line(price="")]}, "parameter_invalid", "lines[0][price]"),
    (
        {"lines": [line(), line(id="il_2", currency="eur")]},
        "parameter_invalid",
        "lines[1][currency]",
    ),
    ({"lines": [line(), line()]}, "parameter_invalid", "lines[1][id]"),
]


@pytest.mark.parametrize(("given", "code", "param"), REFUSED)
def test_a_malformed_invoice_is_refused(
    store: metering.Metering, given: dict[str, Any], code: str, param: str
) -> None:
    grant(store)
    usual = {
        "invoice": "in_1",
        "customer": "cus_1",
        "period_end": NOW,
        "lines": [line()],
    }

    for settle in (store.credits.apply, store.credits.preview):
        with refused(code, param):
            settle(**{**usual, **given})

    assert store.position == 1
