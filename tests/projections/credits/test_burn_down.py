"""Which grants an invoice draws from, alone and in a billing run of many."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.facts.credits.grants import Draw, GrantCategory, InvoiceLine
from projections.kernels.credits import burn_down_many as many
from projections.kernels.credits.burn_down import NEVER, burn_down, draw_order
from projections.kernels.credits.grants import Grant
from tests.projections.credits.credit_accounts import grant

NOW = 100


def drawn(
    *grants: Grant, lines: list[int | tuple[int, str | None]], **given: Any
) -> list[tuple[int, int, int]]:
    """Line, grant and amount of each draw."""
    pairs = [each if isinstance(each, tuple) else (each, None) for each in lines]
    draws = burn_down(
        grants,
        "usd",
        [
            InvoiceLine(f"il_{number}", amount, price)
            for number, (amount, price) in enumerate(pairs)
        ],
        period_end=given.get("period_end", NOW),
        now=given.get("now", NOW),
    )
    return [(draw.line, draw.grant_position, draw.amount) for draw in draws]


@pytest.mark.parametrize(
    ("grants", "lines", "expected"),
    [
        ([grant()], [30], [(0, 1, 30)]),
        ([grant(1), grant(2)], [130], [(0, 1, 100), (0, 2, 30)]),
        ([grant()], [70, 0, 70, 5], [(0, 1, 70), (2, 1, 30)]),
        ([grant(applied=60)], [70], [(0, 1, 40)]),
        ([grant(applied=100)], [70], []),
        ([grant(3), grant(2)], [150], [(0, 2, 100), (0, 3, 50)]),
        ([grant(currency="eur")], [10], []),
    ],
)
def test_lines_draw_in_their_order_what_one_grant_after_another_has_left(
    grants: list[Grant],
    lines: list[int | tuple[int, str | None]],
    expected: list[tuple[int, int, int]],
) -> None:
    assert drawn(*grants, lines=lines) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"priority": 1}, {"priority": 2, "expires_at": 200}),
        ({"expires_at": 200}, {"expires_at": 201}),
        ({"expires_at": 200}, {"category": GrantCategory.PROMOTIONAL}),
        ({"category": GrantCategory.PROMOTIONAL}, {"effective_at": 5}),
        ({"effective_at": 5}, {"effective_at": 6}),
    ],
)
def test_grants_are_drawn_by_priority_expiry_category_and_effect(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    # What was created later is first only because of what it is.
    earlier, later = grant(1, **second), grant(2, **first)

    assert drawn(earlier, later, lines=[150]) == [(0, 2, 100), (0, 1, 50)]


def test_a_grant_for_some_prices_is_drawn_by_lines_that_bill_them() -> None:
    listed = grant(prices=("price_1", "price_2"), priority=0)
    lines: list[int | tuple[int, str | None]] = [
        (10, "price_3"), (10, None), (10, "price_2"),
    ]  # fmt: skip

    assert drawn(listed, lines=lines) == [(2, 1, 10)]
    assert drawn(listed, grant(2), lines=lines) == [(0, 2, 10), (1, 2, 10), (2, 1, 10)]


@pytest.mark.parametrize(
    ("others", "period_end", "now", "is_drawn"),
    [
        ({"effective_at": 50}, 50, 60, True),
        ({"effective_at": 50}, 49, 60, False),
        ({"effective_at": 50}, 60, 50, True),
        ({"effective_at": 50}, 60, 49, False),
        ({"expires_at": 50}, 49, 49, True),
        ({"expires_at": 50}, 50, 49, False),
        ({"expires_at": 50}, 49, 50, False),
        ({"voided_at": 50}, 40, 49, True),
        ({"voided_at": 50}, 40, 50, False),
    ],
)
def test_a_grant_is_drawn_while_it_is_usable_for_the_period_and_now(
    others: dict[str, Any], period_end: int, now: int, *, is_drawn: bool
) -> None:
    draws = drawn(grant(**others), lines=[1], period_end=period_end, now=now)

    assert bool(draws) is is_drawn


PRICES = ["price_0", "price_1", "price_2"]
SOME_GRANTS = st.lists(
    st.builds(
        grant,
        customer=st.sampled_from(["cus_1", "cus_2"]),
        currency=st.sampled_from(["usd", "eur"]),
        amount=st.integers(1, 30),
        applied=st.integers(0, 1),
        prices=st.none()
        | st.lists(st.sampled_from(PRICES), min_size=1, unique=True).map(tuple),
        category=st.sampled_from(GrantCategory),
        priority=st.integers(0, 2),
        effective_at=st.integers(90, 102),
        expires_at=st.none() | st.integers(98, 110),
    ),
    max_size=8,
).map(lambda grants: [replace(each, position=1 + n) for n, each in enumerate(grants)])
SOME_INVOICES = st.lists(
    st.tuples(
        st.sampled_from(["cus_1", "cus_2", "cus_3"]),
        st.sampled_from(["usd", "eur"]),
        st.integers(92, 108),
        st.lists(
            st.builds(
                InvoiceLine,
                st.just("il"),
                st.integers(0, 12),
                st.none() | st.sampled_from(PRICES),
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    max_size=12,
)
Invoices = list[tuple[str, str, int, list[InvoiceLine]]]


@given(
    grants=SOME_GRANTS,
    invoices=SOME_INVOICES,
    rounds=st.integers(0, 3),
    pairs=st.sampled_from([1, 5, many.PAIRS_AT_MOST]),
)
@example(
    grants=[],
    invoices=[("cus_1", "usd", 100, [InvoiceLine("a", 1, None)])],
    rounds=1,
    pairs=1,
)
@example(grants=[grant()], invoices=[], rounds=1, pairs=1)
def test_many_accounts_settle_as_one_invoice_after_another(
    grants: list[Grant], invoices: Invoices, rounds: int, pairs: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Few enough that either way of settling is taken.
        patch.setattr(many, "_ROUNDS_AT_MOST", rounds)
        together = settled_together(grants, invoices, pairs)

    assert together == settled_one_by_one(grants, invoices)


def test_many_lines_and_many_grants_take_little_memory_together() -> None:
    lines, grants = 50_000, 400
    tracemalloc.start()
    try:
        draws = many.burn_down_many(
            many.InvoiceLines(
                account=np.zeros(lines, np.int64),
                amount=np.ones(lines, np.int64),
                period_end=np.full(lines, NOW),
                price=np.full(lines, many.NO_PRICE),
            ),
            many.UsableGrants(
                account=np.zeros(grants, np.int64),
                remaining=np.full(grants, 100),
                effective_at=np.zeros(grants, np.int64),
                expires_at=np.full(grants, NEVER),
                scope=np.full(grants, many.EVERY_PRICE),
                scope_prices=np.zeros((0, 2), np.int64),
            ),
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert draws.amount.sum() == 40_000
    # Twenty million pairs, of which a few numbers each are needed.
    assert most < 200 << 20


def settled_one_by_one(
    grants: list[Grant], invoices: Invoices
) -> list[tuple[int, int, int]]:
    """The line among all, the grant, and the amount of each draw."""
    left = {each.position: each for each in grants}
    found, first_line = [], 0
    for customer, currency, period_end, lines in invoices:
        own = [each for each in left.values() if each.customer == customer]
        draws = burn_down(own, currency, lines, period_end=period_end, now=NOW)
        for line, position, amount in (
            (d.line, d.grant_position, d.amount) for d in draws
        ):
            found.append((first_line + line, position, amount))
            each = left[position]
            left[position] = replace(each, applied=each.applied + amount)
        first_line += len(lines)
    return found


def settled_together(
    grants: list[Grant], invoices: Invoices, pairs: int = many.PAIRS_AT_MOST
) -> list[tuple[int, int, int]]:
    accounts = [(c, u) for c in ("cus_1", "cus_2", "cus_3") for u in ("usd", "eur")]
    usable = sorted(
        (
            each
            for each in grants
            if each.remaining and each.effective_at <= NOW and not each.is_expired(NOW)
        ),
        key=lambda each: (
            accounts.index((each.customer, each.currency)),
            *draw_order(each),
        ),
    )
    scopes = list(dict.fromkeys(each.prices for each in usable if each.prices))
    lines = [
        (accounts.index((customer, currency)), line.amount, period_end, line.price)
        for customer, currency, period_end, lines in invoices
        for line in lines
    ]
    draws = many.burn_down_many(
        many.InvoiceLines(
            account=numbers(each[0] for each in lines),
            amount=numbers(each[1] for each in lines),
            period_end=numbers(each[2] for each in lines),
            price=numbers(
                many.NO_PRICE if each[3] is None else PRICES.index(each[3])
                for each in lines
            ),
        ),
        many.UsableGrants(
            account=numbers(accounts.index((g.customer, g.currency)) for g in usable),
            remaining=numbers(each.remaining for each in usable),
            effective_at=numbers(each.effective_at for each in usable),
            expires_at=numbers(each.expires_at or NEVER for each in usable),
            scope=numbers(
                scopes.index(each.prices) if each.prices else many.EVERY_PRICE
                for each in usable
            ),
            scope_prices=np.array(
                [
                    (number, PRICES.index(price))
                    for number, scope in enumerate(scopes)
                    for price in scope or ()
                ],
                np.int64,
            ).reshape(-1, 2),
        ),
        pairs_at_most=pairs,
    )
    return [
        (line, usable[credit].position, amount)
        for line, credit, amount in zip(
            draws.line.tolist(),
            draws.credit.tolist(),
            draws.amount.tolist(),
            strict=True,
        )
    ]


def numbers(values: Any) -> np.ndarray:
    return np.array([*values], np.int64)


def test_an_account_with_very_many_blocks_is_settled_line_by_line() -> None:
    listed = grant(1, prices=("price_0",), amount=500)
    every = grant(2, amount=100)
    prices = ["price_0", None] * 100
    invoices: Invoices = [
        ("cus_1", "usd", NOW, [InvoiceLine("il", 3, price)]) for price in prices
    ]

    together = settled_together([listed, every], invoices)

    assert together == settled_one_by_one([listed, every], invoices)
    assert sum(amount for *_, amount in together) == 400


def test_a_draw_names_its_line_and_its_grant() -> None:
    (draw,) = burn_down(
        [grant(7)], "usd", [InvoiceLine("il_1", 5, None)], period_end=NOW, now=NOW
    )

    assert draw == Draw(0, 7, 5)
