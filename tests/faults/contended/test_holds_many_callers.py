"""Threads of several processes hold and settle one customer's last credits.

The law: what settlements drew is what the grants lost, no balance is ever below zero, and
none of what was acknowledged is undone, though processes are killed on the way.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from random import Random
from threading import Lock

import pytest

import metering
from tests.faults.credits import CUSTOMER, create_grants
from tests.faults.usage import NOW, open_store
from tests.processes import Child, said
from tests.profiles import budget

PROCESSES = 4
THREADS = 16
PAIRS = min(10_000, budget(50_000))
KILLS = max(2, PAIRS // 1_000)
_MOST = 20


@dataclass(frozen=True)
class Held:
    """A pair that was answered: what was drawn; None where nothing was left to hold."""

    number: int
    drawn: int | None


def asked(number: int) -> tuple[int, int]:
    """What a pair holds and settles."""
    random = Random(number)
    held = random.randint(1, _MOST)
    return held, random.randint(0, held)


def hold_and_settle(
    target: str, numbers: Sequence[int], threads: int, pipe: Connection
) -> None:
    """Make pairs by threads, and say each that was answered."""
    speaking = Lock()
    with open_store(target) as store, ThreadPoolExecutor(threads) as pool:

        def work(number: int) -> None:
            found = Held(number, pair(store, number))
            with speaking:
                pipe.send(found)

        list(pool.map(work, numbers))


def pair(store: metering.Metering, number: int) -> int | None:
    """Hold and settle; None where credits, or room for one more hold, are used up."""
    held, settled = asked(number)
    try:
        store.credit_holds.create(
            id=f"job_{number}",
            customer=CUSTOMER,
            amount={
                "type": "monetary",
                "monetary": {"currency": "usd", "value": held},
            },
        )
    except metering.InvalidRequestError as error:
        if error.code not in {"insufficient_credits", "hold_limit_reached"}:
            raise
        return None
    answer = store.credit_holds.settle(f"job_{number}", amount=settled)
    return answer.amount_drawn.monetary.value


@pytest.mark.dialect
@pytest.mark.slow
def test_what_many_callers_settle_is_what_the_grants_lost(
    store_target: str, processes: ForkServerContext
) -> None:
    """Processes are killed and begin again; then what is left is held and settled."""
    amount = sum(asked(number)[1] for number in range(PAIRS)) * 9 // 30
    grants = create_grants(store_target, amount)
    shares = [list(range(first, PAIRS, PROCESSES)) for first in range(PROCESSES)]
    random, acknowledged, kills = Random(PAIRS), dict[int, int](), 0

    def start(share: Sequence[int]) -> Child:
        return Child(processes, hold_and_settle, store_target, share, THREADS)

    children = [start(share) for share in shares]
    while kills < KILLS:
        # One is listened to until it is somewhere on its way.
        victim = random.randrange(PROCESSES)
        for found, _ in zip(
            said(children[victim]), range(random.randint(1, 8)), strict=False
        ):
            _note(acknowledged, found)
        children[victim].kill()
        children[victim].exit_code()
        for found in said(children[victim]):
            _note(acknowledged, found)
        children[victim] = start(shares[victim])
        kills += 1
    for found in said(*children):
        _note(acknowledged, found)

    assert [child.exit_code() for child in children] == [0] * PROCESSES
    with open_store(store_target) as store:
        for number in range(PAIRS):
            if number not in acknowledged:
                # What those before it kept, and did not draw, may do for it.
                pair(store, number)
        holds = list(store.credit_holds.list(CUSTOMER, limit=100).auto_paging_iter())
        drawn = {
            int(each.id.removeprefix("job_")): each.amount_drawn.monetary.value
            for each in holds
        }
        assert {each.status for each in holds} == {"settled"}
        assert drawn.items() >= acknowledged.items()
        assert drawn == {number: asked(number)[1] for number in drawn}
        [balance] = store.credit_balance_summary.retrieve(customer=CUSTOMER).balances
        assert balance.held_balance.monetary.value == 0
        left = balance.ledger_balance.monetary.value
        assert left == len(grants) * amount - sum(drawn.values())
        assert 0 <= left < _MOST
        history = store.credit_balance_summary.history(
            customer=CUSTOMER, start_time=NOW, end_time=NOW.replace(year=NOW.year + 1)
        )
        assert min(history["available_balance"].to_pylist()) >= 0
        assert store.verify().problems == ()


def _note(acknowledged: dict[int, int], found: Held) -> None:
    if found.drawn is not None:
        known = acknowledged.setdefault(found.number, found.drawn)
        assert known == found.drawn, "a repetition answers the same"
