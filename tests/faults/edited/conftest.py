"""The store that is edited, made once for each database, and what it answers."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import StoreTargets
from tests.faults.edited.stores import ANSWERS, make, opened
from tests.webhook_receiver import running_receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A store, which nobody has open, and what it answers."""

    target: str
    answers: dict[str, object]


@pytest.fixture(scope="module")
def made(store_targets: StoreTargets) -> Iterator[Made]:
    with running_receiver() as receiver, store_targets() as target:
        make(target, receiver)
        with opened(target) as store:
            assert store.verify().ok
            answers = {name: ask(store) for name, ask in ANSWERS.items()}
        yield Made(target=target, answers=answers)
