"""A real store and a naive oracle of holds live through the same calls.

Two connections hold, settle, release, invoice and give back in turn while grants and
holds expire; after each call balances and holds are compared, and in the end every
transaction, every past balance and some to come.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.conftest import StoreTargets
from tests.empty_stores import empty_directory
from tests.oracles.holds import HoldsOracle
from tests.property.holds.side_by_side import (
    LATEST,
    Granting,
    HoldsSideBySide,
    Settling,
)

Deed = tuple[str, dict[str, Any]]
"""The name of a method and its arguments but the connection."""

NUMBERS = st.integers(0, 5)
PRICES = st.sampled_from([None, None, "price_1", "price_2"])
AMOUNTS = st.integers(1, 12)
LIVES = st.integers(1, 30)
GRANTS = st.builds(
    Granting,
    amount=st.integers(1, 30),
    priority=st.sampled_from([50, 50, 10]),
    starts_in=st.sampled_from([0, 0, 0, 2]),
    lasts=st.one_of(st.none(), LIVES),
    price=PRICES,
)
SETTLEMENTS = st.builds(
    Settling,
    amount=st.one_of(st.none(), st.integers(0, 12)),
    number=st.integers(0, 3),
    final=st.booleans(),
    draw=st.booleans(),
)

EVERY_OUTCOME = {
    "hold: None", "hold: hold_conflict", "hold: insufficient_credits",
    "settle: None", "settle: exceeds_hold", "settle: settlement_conflict",
    "settle: hold_settled", "settle: hold_released", "settle: hold_expired",
    "settle: resource_missing", "release: None", "release: hold_settled",
    "release: resource_missing", "apply: None", "apply: invoice_is_hold",
    "reinstate: None", "reinstate: resource_missing",
    "grant void: None", "grant void: grant_in_use", "grant void: credit_grant_applied",
    "grant expire: None", "grant expire: credit_grant_expired",
    "grant void: credit_grant_voided",
}  # fmt: skip


def does(method: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    """A call of a method with arguments that are drawn."""
    return st.fixed_dictionaries(drawn).map(lambda given: (method, given))


HOLDING = does(
    "hold",
    number=NUMBERS,
    amount=AMOUNTS,
    price=PRICES,
    lasts=LIVES,
    partial=st.booleans(),
)
SETTLING = does("settle", number=NUMBERS, asked=SETTLEMENTS)
TIME = does("pass_time", minutes=st.integers(1, 6))
INVOICES = st.sampled_from(["in_1", "in_2", "in_3"])
OTHERS = st.one_of(
    does("release", number=NUMBERS),
    does("apply", invoice=INVOICES, amount=AMOUNTS, price=PRICES, bulk=st.booleans()),
    does("apply", invoice=st.just("job_0"), amount=AMOUNTS, price=PRICES),
    does("reinstate", number=NUMBERS),
    does("grant", asked=GRANTS),
    does("end_grant", number=NUMBERS, verb=st.sampled_from(["void", "expire"])),
    does("keep_up", verb=st.sampled_from(["rebuild", "reopen"])),
)
DEEDS = st.one_of(HOLDING, HOLDING, SETTLING, SETTLING, TIME, OTHERS, OTHERS)


@contextmanager
def side_by_side(targets: StoreTargets) -> Iterator[HoldsSideBySide]:
    with targets() as target, HoldsSideBySide(target) as both:
        yield both


@pytest.mark.slow
@given(
    grants=st.lists(GRANTS, min_size=1, max_size=3),
    history=st.lists(st.tuples(st.integers(0, 1), DEEDS), max_size=LATEST // 6),
)
def test_holds_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
    grants: list[Granting],
    history: list[tuple[int, Deed]],
) -> None:
    """No cent is drawn or held twice, and each is where the oracle has it."""
    with side_by_side(store_targets) as both:
        for granting in grants:
            both.grant(0, granting)

        for connection, (method, given) in history:
            getattr(both, method)(connection, **given)
            both.compare(1 - connection)

        both.compare_everything(0)
        both.keep_up(1, "rebuild")
        both.compare_everything(1)
        assert both.connections[0].verify().problems == ()
        for outcome in both.reached:
            event(outcome)


def test_a_history_of_every_outcome_of_holds_agrees_with_the_oracle() -> None:
    with side_by_side(empty_directory) as both:
        for number, (method, given) in enumerate(every_outcome()):
            getattr(both, method)(number % 2, **given)
            both.compare(1)

        both.compare_everything(0)
        both.keep_up(1, "rebuild")
        both.compare_everything(1)
        assert both.connections[0].verify().problems == ()
        assert set(both.reached) >= EVERY_OUTCOME


def every_outcome() -> list[Deed]:
    """Deeds that meet each outcome; grants end while they are held, and holds end."""
    part = Settling(amount=3, number=1, final=False)
    return [
        ("grant", {"asked": Granting(amount=20, lasts=5, priority=10)}),
        ("grant", {"asked": Granting(amount=20)}),
        ("grant", {"asked": Granting(amount=7, price="price_1")}),
        hold(0, 41),
        hold(0, 12),
        hold(0, 12),
        hold(0, 13),
        hold(1, 12),
        hold(2, 100, lasts=3, partial=True),
        hold(3, 1, lasts=4, partial=True),
        ("end_grant", {"number": 1, "verb": "void"}),
        apply("in_1"),
        apply("job_0"),
        settle(0, Settling(amount=13)),
        settle(0, part),
        settle(0, part),
        settle(0, Settling(amount=2, number=1, final=False)),
        ("pass_time", {"minutes": 6}),
        settle(2, Settling()),
        apply("in_2", bulk=True),
        ("end_grant", {"number": 1, "verb": "void"}),
        settle(0, Settling(amount=4)),
        settle(0, Settling(amount=4)),
        settle(0, Settling(amount=1, number=2)),
        ("release", {"number": 0}),
        settle(1, Settling(amount=90, number=1, final=False, draw=True)),
        settle(1, Settling(amount=0)),
        *(("reinstate", {"number": number}) for number in range(7)),
        ("grant", {"asked": Granting(amount=9)}),
        hold(4, 5),
        ("release", {"number": 4}),
        ("release", {"number": 4}),
        settle(4, Settling()),
        settle(5, Settling()),
        ("release", {"number": 5}),
        hold(5, 99, lasts=9, partial=True),
        ("end_grant", {"number": 3, "verb": "void"}),
        ("end_grant", {"number": 0, "verb": "expire"}),
        apply("in_3", price="price_1"),
        ("end_grant", {"number": 2, "verb": "void"}),
        ("grant", {"asked": Granting(amount=9)}),
        ("end_grant", {"number": 4, "verb": "void"}),
        ("end_grant", {"number": 4, "verb": "void"}),
        ("end_grant", {"number": 3, "verb": "expire"}),
        ("pass_time", {"minutes": 10}),
    ]


def hold(number: int, amount: int, lasts: int = 30, *, partial: bool = False) -> Deed:
    drawn = {"number": number, "amount": amount, "price": None, "lasts": lasts}
    return "hold", {**drawn, "partial": partial}


def settle(number: int, asked: Settling) -> Deed:
    return "settle", {"number": number, "asked": asked}


def apply(invoice: str, price: str | None = None, *, bulk: bool = False) -> Deed:
    given = {"invoice": invoice, "amount": 5, "price": price, "bulk": bulk}
    return "apply", given


def take_a_cent(oracle: HoldsOracle) -> None:
    oracle.holds["job_0"].drawn -= 1


def forget_a_hold(oracle: HoldsOracle) -> None:
    pot = next(iter(oracle.pots.values()))
    pot.free += pot.held.pop("job_0")


@pytest.mark.parametrize("damage", [take_a_cent, forget_a_hold])
def test_the_comparison_of_holds_sees_the_smallest_disagreement(
    damage: Callable[[HoldsOracle], None],
) -> None:
    with side_by_side(empty_directory) as both:
        both.grant(0, Granting(amount=5))
        both.hold(0, 0, 4, None, 9, partial=False)
        both.settle(0, 0, Settling(amount=1, number=1, final=False))
        both.compare_everything(0)

        damage(both.oracle)

        with pytest.raises(AssertionError):
            both.compare_everything(0)
