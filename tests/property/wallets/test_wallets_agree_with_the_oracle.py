"""A real store and a naive oracle of all that credits do live through the same calls.

Two connections grant, schedule, hold, settle, invoice, share, limit and use in turn while
time passes, by hours or by weeks at once. After each call balances are compared, and in
the end holds, limits, every transaction, past balances and some to come.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.conftest import StoreTargets
from tests.empty_stores import empty_directory
from tests.oracles.wallet_holds import Terms
from tests.oracles.wallet_usage import UsedWallets
from tests.property.wallets.comparing import ComparedWallets
from tests.property.wallets.histories import (
    EVERY_OUTCOME,
    Deed,
    a_year,
    every_outcome,
    hold,
    pass_time,
    settle,
)
from tests.property.wallets.holds import Settling
from tests.property.wallets.side_by_side import (
    CUSTOMERS,
    POOLS,
    SUBSCRIBERS,
    Granting,
    Planning,
)

ANYBODY = st.sampled_from(CUSTOMERS)
ANY_POOL = st.sampled_from(POOLS)
NUMBERS = st.integers(0, 3)
AMOUNTS = st.integers(1, 12)
PRICES = st.sampled_from([None, None, "usage", "price_1"])
LIVES = st.one_of(st.integers(1, 24), st.integers(1, 700))
CAPS = st.one_of(st.none(), st.integers(1, 9), st.integers(1, 25))
HOURS = st.one_of(
    st.integers(1, 6),
    st.integers(0, 40),
    st.integers(1, 20).map(lambda each: each * 50),
)
GRANTS = st.builds(
    Granting,
    owner=st.sampled_from((*CUSTOMERS, *POOLS)),
    amount=st.one_of(st.integers(1, 6), st.integers(1, 30)),
    priority=st.sampled_from([50, 50, 10]),
    is_promotional=st.sampled_from([False, False, True]),
    starts_in=st.sampled_from([0, 0, 0, 2]),
    lasts=st.one_of(st.none(), LIVES),
    price=PRICES,
)
TERMS = st.builds(
    Terms,
    amount=st.integers(1, 15),
    rule=st.one_of(
        st.none(),
        st.just(("none", 0)),
        st.tuples(st.just("max_amount"), st.integers(1, 6)),
        st.tuples(st.just("percent"), st.sampled_from([1, 50, 100])),
    ),
    lasts=st.one_of(st.none(), st.integers(1, 5)),
)
PLANS = st.builds(
    Planning,
    customer=ANYBODY,
    interval=st.sampled_from(["day", "week", "month", "month"]),
    count=st.integers(1, 3),
    anchor=st.sampled_from([0, 0, 30, -70, -2_000]),
    terms=TERMS,
)
SETTLEMENTS = st.builds(
    Settling,
    amount=st.one_of(st.none(), st.integers(0, 12)),
    number=st.sampled_from([0, 0, 1, 2]),
    final=st.booleans(),
    draw=st.booleans(),
)
LINES = st.lists(st.tuples(AMOUNTS, PRICES), min_size=1, max_size=2)
BILLED = st.tuples(
    st.sampled_from([1, 1, 2, 3, 0]), ANYBODY, LINES, st.sampled_from([0, 0, 0, 3, -3])
)
RUN = st.tuples(st.integers(1, 4), ANYBODY, LINES, st.just(0))


def does(method: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    """A call of a method with arguments that are drawn."""
    return st.tuples(st.just(method), st.fixed_dictionaries(drawn))


GRANTING = does("grant", asked=GRANTS)
JOINING = does("join", pool=ANY_POOL, customer=ANYBODY, cap=CAPS)
HOLDING = does(
    "hold",
    number=NUMBERS,
    customer=ANYBODY,
    amount=AMOUNTS,
    price=PRICES,
    lasts=LIVES,
    partial=st.booleans(),
)
SETTLING = does("settle", number=NUMBERS, asked=SETTLEMENTS, in_usage=st.booleans())
TIME = does("pass_time", hours=HOURS)
ON_HOLDS = st.one_of(
    HOLDING,
    does(
        "hold_usage",
        number=NUMBERS,
        customer=ANYBODY,
        quantity=st.integers(1, 5),
        lasts=LIVES,
        partial=st.sampled_from([False, False, True]),
    ),
    SETTLING,
    SETTLING,
    does("release", number=NUMBERS),
    does("settle_many", several=st.lists(st.tuples(NUMBERS, SETTLEMENTS), max_size=4)),
)
ON_INVOICES = st.one_of(
    does("apply", billed=BILLED, replace=st.booleans()),
    does("apply_many", several=st.lists(RUN, min_size=1, max_size=4)),
    does("reinstate", number=st.integers(0, 9)),
)
ON_GRANTS = st.one_of(
    GRANTING,
    does(
        "end_grant",
        number=st.integers(0, 30),
        verb=st.sampled_from(["void", "expire", "prolong"]),
        more=LIVES,
    ),
)
ON_SCHEDULES = st.one_of(
    does("plan", number=NUMBERS, asked=PLANS),
    does(
        "change_plan",
        number=NUMBERS,
        verb=st.sampled_from(["update", "pause", "resume", "cancel"]),
        terms=TERMS,
    ),
)
ON_POOLS = st.one_of(
    JOINING,
    JOINING,
    does("leave", pool=ANY_POOL, customer=ANYBODY),
    does("change_cap", pool=ANY_POOL, cap=CAPS),
    does("archive", pool=ANY_POOL),
)
ON_USAGE = st.one_of(
    does("use", customer=ANYBODY, quantity=st.integers(1, 5), ago=st.integers(0, 300)),
    does("spend", customer=ANYBODY, quantity=st.integers(1, 5)),
    does("spend", customer=ANYBODY, quantity=st.integers(1, 5)),
    does("state", customer=st.sampled_from(SUBSCRIBERS)),
    does("void_statement", number=NUMBERS),
)
ON_LIMITS = st.one_of(
    does(
        "limit",
        number=st.integers(0, 1),
        customer=ANYBODY,
        amount=st.integers(1, 40),
        window=st.sampled_from(["day", "month", "all_time"]),
    ),
    does("cancel_limit", number=st.integers(0, 1)),
)
KINDS = (
    ON_HOLDS, ON_HOLDS, ON_INVOICES, ON_GRANTS, ON_SCHEDULES, ON_POOLS, ON_USAGE, ON_LIMITS
)  # fmt: skip


def histories(kinds: list[st.SearchStrategy[Deed]]) -> st.SearchStrategy[Any]:
    """Histories of few kinds of deeds, which meet more often, while time passes."""
    deeds = st.one_of(*kinds, TIME)
    return st.lists(st.tuples(st.integers(0, 1), deeds), min_size=8, max_size=20)


HISTORIES = st.lists(st.sampled_from(KINDS), min_size=2, max_size=6).flatmap(histories)


@pytest.mark.slow
@given(
    grants=st.lists(GRANTS, min_size=1, max_size=4),
    plans=st.lists(PLANS, max_size=2),
    members=st.lists(JOINING, max_size=4),
    history=HISTORIES,
)
def test_wallets_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
    grants: list[Granting],
    plans: list[Planning],
    members: list[Deed],
    history: list[tuple[int, Deed]],
) -> None:
    """No cent is drawn, held or granted twice, and each is where the oracle has it."""
    with store_targets() as target, ComparedWallets(target) as both:
        for granting in grants:
            both.act(0, ("grant", {"asked": granting}))
        for number, plan in enumerate(plans):
            both.act(0, ("plan", {"number": number, "asked": plan}))
        for joining in members:
            both.act(1, joining)

        for connection, deed in history:
            both.act(connection, deed)
            both.compare(1 - connection)

        both.compare_everything(0)
        assert both.connections[0].verify().problems == ()
        both.keep_up(1, "rebuild")
        both.compare_everything(1)
        for outcome in both.reached:
            event(outcome)


def test_a_history_of_every_outcome_of_wallets_agrees_with_the_oracle(
    store_targets: StoreTargets,
) -> None:
    with store_targets() as target, ComparedWallets(target) as both:
        for number, deed in enumerate(every_outcome()):
            both.act(number % 2, deed)
            if number % 3 == 0:
                both.compare(1 - number % 2)

        both.compare_everything(0)
        assert both.connections[0].verify().problems == ()
        assert EVERY_OUTCOME - set(both.reached) == set()


def test_a_year_lived_in_one_step_is_that_lived_in_many(
    store_targets: StoreTargets,
) -> None:
    with (
        store_targets() as one,
        empty_directory() as many,
        ComparedWallets(one) as jumping,
        ComparedWallets(many) as walking,
    ):
        for method, given in a_year():
            jumping.act(0, (method, given))
            steps = [given]
            if method == "pass_time":
                steps = [{"hours": 48}] * (given["hours"] // 48)
                steps.append({"hours": given["hours"] % 48})
            for step in steps:
                walking.act(1, (method, step))
            walking.compare(0)

        jumping.balances = walking.balances
        jumping.compare_everything(1)
        walking.compare_everything(1)


def take_a_cent(oracle: UsedWallets) -> None:
    oracle.holds["job_0"].drawn -= 1


def forget_a_part(oracle: UsedWallets) -> None:
    oracle.parts.pop()


def roll_a_cent_more(oracle: UsedWallets) -> None:
    oracle.pots["credgr_plan_0_1_rollover"].granted += 1


def forget_usage(oracle: UsedWallets) -> None:
    oracle.uses.pop()


@pytest.mark.parametrize(
    "damage", [take_a_cent, forget_a_part, roll_a_cent_more, forget_usage]
)
def test_the_comparison_of_wallets_sees_the_smallest_disagreement(
    damage: Callable[[UsedWallets], None],
) -> None:
    plan = Planning(customer="ada", terms=Terms(amount=10, rule=("percent", 50)))
    settled = Settling(amount=1, number=1, final=False)
    with empty_directory() as target, ComparedWallets(target) as both:
        for deed in (
            ("plan", {"number": 0, "asked": plan}),
            pass_time(31 * 24),
            hold(0, 4),
            settle(0, settled),
            ("use", {"customer": "ada", "quantity": 1, "ago": 0}),
        ):
            both.act(0, deed)
        both.compare_everything(0)

        damage(both.oracle)

        with pytest.raises(AssertionError):
            both.compare_everything(0)
