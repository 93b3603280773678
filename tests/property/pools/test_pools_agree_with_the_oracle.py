"""A real store and a naive oracle of pools live through the same calls.

Members join, leave, draw, hold, settle and void, alone and in billing runs, while caps
change and grants and holds expire. After each call all balances are compared, and in the
end what each member drew of each grant.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import StoreTargets
from tests.property.pools.side_by_side import (
    CUSTOMERS,
    POOLS,
    Granting,
    PoolsSideBySide,
)

Deed = tuple[str, dict[str, Any]]
"""The name of a method and its arguments but the connection."""

CENTS = st.integers(1, 9)
CAPS = st.one_of(st.none(), st.integers(1, 9), st.integers(1, 25))
NUMBERS = st.integers(0, 1)
MINUTES = st.integers(1, 6)
ANYBODY = st.sampled_from(CUSTOMERS)
ANY_POOL = st.sampled_from(POOLS)
GRANTS = st.builds(
    Granting,
    owner=st.sampled_from((*POOLS, *POOLS, *CUSTOMERS)),
    cents=st.integers(1, 30),
    priority=st.sampled_from([50, 50, 10]),
    lasts=st.one_of(st.none(), st.integers(1, 20)),
)


def does(method: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Deed]:
    """A call of a method with arguments that are drawn."""
    return st.fixed_dictionaries(drawn).map(lambda given: (method, given))


LINES = st.lists(st.tuples(NUMBERS, ANYBODY, CENTS), min_size=1, max_size=4)
APPLYING = does("apply", lines=LINES, is_bulk=st.booleans())
HOLDING = does(
    "hold", number=NUMBERS, customer=ANYBODY, cents=CENTS, lasts=st.integers(2, 20)
)
JOINING = does("join", pool=ANY_POOL, customer=ANYBODY, cap=CAPS)
SETTLING = does(
    "settle", number=NUMBERS, cents=st.integers(0, 12), beyond=st.booleans()
)
DEEDS = st.one_of(
    APPLYING,
    APPLYING,
    HOLDING,
    HOLDING,
    JOINING,
    SETTLING,
    SETTLING,
    does("release", number=NUMBERS),
    does("void", number=NUMBERS),
    does("leave", pool=ANY_POOL, customer=ANYBODY),
    does("change_cap", pool=ANY_POOL, cap=CAPS),
    does("grant", asked=GRANTS),
    does("pass_time", minutes=MINUTES),
)
HISTORIES = st.lists(st.tuples(st.integers(0, 1), DEEDS), min_size=10, max_size=25)


@contextmanager
def side_by_side(targets: StoreTargets) -> Iterator[PoolsSideBySide]:
    with targets() as target, PoolsSideBySide(target) as both:
        yield both


@pytest.mark.slow
@given(
    grants=st.lists(GRANTS, min_size=1, max_size=4),
    members=st.lists(JOINING, min_size=1, max_size=4),
    history=HISTORIES,
)
def test_pools_agree_with_the_oracle_after_any_history(
    store_targets: StoreTargets,
    grants: list[Granting],
    members: list[Deed],
    history: list[tuple[int, Deed]],
) -> None:
    """No cent is drawn twice, none beyond a cap, and each draw names its member."""
    with side_by_side(store_targets) as both:
        for granting in grants:
            both.grant(both.connections[0], granting)
        for joining in members:
            both.act(0, joining)

        both.live(history)

        both.compare_grants()
        both.connections[1].rebuild()
        both.compare(1)
        assert both.connections[1].verify().problems == ()
