"""Several processes apply invoices of one customer, and it is as if one had.

The law: whoever applies, and in whatever order, no cent of a grant is drawn twice, and
none is left while an invoice goes unpaid.
"""

from collections import Counter
from multiprocessing.context import ForkServerContext
from random import Random

import pytest

from tests.faults.credits import (
    apply_many,
    as_if_one_had,
    correct,
    corrected,
    create_grants,
    drawn,
    ids_of_draws,
    ledger,
    paid,
    settle,
    total,
)
from tests.faults.usage import open_store
from tests.processes import Child, said

INVOICES = 120
CORRECTED = 30


@pytest.mark.slow
@pytest.mark.parametrize("writers", [2, 4])
def test_processes_that_apply_invoices_at_once_never_draw_the_same_cent_twice(
    store_target: str, processes: ForkServerContext, writers: int
) -> None:
    """Invoices of twice what there is use it up exactly, each grant in its turn."""
    asked = sum(total(number) for number in range(INVOICES))
    amount = asked // 6
    grants = create_grants(store_target, amount)
    children = [
        Child(processes, settle, store_target, range(first, INVOICES, writers), first)
        for first in range(writers)
    ]

    answers = list(said(*children))

    assert [child.exit_code() for child in children] == [0] * writers
    settled = [number for answer in answers for number in answer.numbers]
    assert sorted(settled) == list(range(INVOICES))
    with open_store(store_target) as store:
        taken: Counter[str] = Counter()
        for each in drawn(store):
            taken[each.grant] += each.amount
        assert taken == dict.fromkeys(grants, amount)
        assert ledger(store) == 0
        told_ids = [each for answer in answers for each in answer.transactions]
        assert sorted(told_ids) == sorted(ids_of_draws(store))
        names = [each.invoice for each in drawn(store)]
        assert drawn(store) == as_if_one_had(grants, names)
        assert store.position == len(grants) + INVOICES
        assert store.verify().problems == ()


@pytest.mark.dialect
@pytest.mark.slow
def test_processes_that_apply_the_same_invoices_get_the_same_transactions(
    store_target: str, processes: ForkServerContext
) -> None:
    """Each invoice is settled once, and every process is told the same of it."""
    grants = create_grants(store_target, 1_000_000)
    children = [
        Child(
            processes,
            settle,
            store_target,
            Random(seed).sample(range(INVOICES), INVOICES),
            seed,
        )
        for seed in range(4)
    ]

    answers = list(said(*children))

    assert [child.exit_code() for child in children] == [0] * 4
    with open_store(store_target) as store:
        assert paid(store) == {f"in_{n}": total(n) for n in range(INVOICES)}
        told_ids = Counter(each for answer in answers for each in answer.transactions)
        assert told_ids == dict.fromkeys(ids_of_draws(store), 4)
        assert store.position == len(grants) + INVOICES
        assert store.verify().problems == ()


@pytest.mark.dialect
@pytest.mark.slow
def test_processes_that_correct_the_same_invoices_correct_each_once(
    store_target: str, processes: ForkServerContext
) -> None:
    """Each invoice gives back and draws again once, whoever comes first."""
    grants = create_grants(store_target, 1_000_000)
    with open_store(store_target) as store:
        apply_many(store, range(CORRECTED))
        wrong = set(ids_of_draws(store))
    children = [
        Child(
            processes,
            correct,
            store_target,
            Random(seed).sample(range(CORRECTED), CORRECTED),
            seed,
        )
        for seed in range(3)
    ]

    answers = list(said(*children))

    assert [child.exit_code() for child in children] == [0] * 3
    with open_store(store_target) as store:
        right = [corrected(number) for number in range(CORRECTED)]
        asked = sum(line.amount for each in right for line in each.lines)
        assert ledger(store) == 3 * 1_000_000 - asked
        told_ids = Counter(each for answer in answers for each in answer.transactions)
        assert told_ids == dict.fromkeys({*ids_of_draws(store)} - wrong, 3)
        assert store.position == len(grants) + 3 * CORRECTED
        assert store.verify().problems == ()
