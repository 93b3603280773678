"""Drafts that are settled before those in front of them are recorded."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.appending.drafts import Draft, Outcome, Status
from ledger.log import Log
from tests.ledger.conftest import OpenLog
from tests.ledger.drafts import append, draft, positions, row, statuses, stored_rows

APPENDED, DUPLICATE, CONFLICT, _ = Status


class Sent(NamedTuple):
    """Rows, each an identifier and what it says; other processes send at once."""

    rows: Sequence[tuple[int, int]]
    by_another: bool = False
    may_repeat: bool = False


_ROWS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([1, 1, 1, 2])),
    min_size=1,
    max_size=60,
)
_SENDINGS = st.lists(
    st.builds(
        Sent,
        _ROWS,
        by_another=st.sampled_from([False, False, False, True]),
        may_repeat=st.booleans(),
    ),
    min_size=2,
    max_size=8,
)


class Oracle:
    """What each identifier was first recorded as, in the order of the appends."""

    def __init__(self, position: int) -> None:
        self._position = position
        self._known: dict[int, tuple[int, int]] = {}

    def append(self, sent: Sent) -> tuple[list[Status], list[int]]:
        outcomes = []
        for identifier, says in sent.rows:
            if identifier not in self._known:
                self._position += 1
                self._known[identifier] = self._position, says
                outcomes.append((APPENDED, self._position))
            else:
                position, said = self._known[identifier]
                is_same = says == said
                outcomes.append((DUPLICATE if is_same else CONFLICT, position))
        return [status for status, _ in outcomes], [at for _, at in outcomes]


@pytest.fixture
def other(open_log: OpenLog) -> Log:
    """The log as another process has it."""
    return open_log()


def draft_of(prefix: str, sent: Sent) -> Draft:
    made = draft(
        [
            row(f"{prefix} {identifier}", value=str(says))
            for identifier, says in sent.rows
        ],
        is_batch=True,
    )
    made.prepare(may_repeat=sent.may_repeat)
    return made


def answers(outcome: Outcome) -> tuple[list[Status], list[int]]:
    return statuses(outcome), positions(outcome)


@pytest.mark.dialect
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sendings=_SENDINGS, ahead=st.integers(0, 3))
def test_what_becomes_of_drafts_is_what_appends_alone_would_find(
    log: Log, other: Log, sendings: Sequence[Sent], ahead: int
) -> None:
    """Outcomes follow from the order of the appends, however far ahead they are settled."""
    start = log.catch_up().position
    oracle, settling = Oracle(start), log.settling_ahead()
    waiting = deque[tuple[Sent, Draft]]()

    def append_all_but(count: int) -> None:
        while len(waiting) > count:
            sent, made = waiting.popleft()
            assert answers(log.append_usage(made)) == oracle.append(sent)

    for sent in sendings:
        made = draft_of(f"{start}", sent)
        if sent.by_another:
            assert answers(other.append_usage(made)) == oracle.append(sent)
        else:
            settling.settle(made)
            waiting.append((sent, made))
            append_all_but(ahead)
    append_all_but(0)

    recorded = [at for at, _ in stored_rows(log)]
    assert recorded == list(range(1, len(recorded) + 1))


def test_a_draft_whose_original_was_never_recorded_is_recorded(log: Log) -> None:
    settling = log.settling_ahead()
    lost, sent = draft([row("a")], is_batch=True), draft([row("a")], is_batch=True)
    settling.settle(lost)
    settling.settle(sent)

    outcome = log.append_usage(sent)

    assert answers(outcome) == ([APPENDED], [1])


def test_another_event_in_the_place_of_an_original_is_not_taken_for_it(
    log: Log,
) -> None:
    settling = log.settling_ahead()
    lost, sent = draft([row("a")], is_batch=True), draft([row("a")], is_batch=True)
    settling.settle(lost)
    settling.settle(sent)
    append(log, row("b"))

    outcome = log.append_usage(sent)

    assert answers(outcome) == ([APPENDED], [2])


def test_what_is_settled_ahead_holds_where_the_log_was_sealed_meanwhile(
    log: Log,
) -> None:
    append(log, row("a"))
    settling = log.settling_ahead()
    first = draft([row("a"), row("b")], is_batch=True)
    second = draft([row("b"), row("c"), row("a")], is_batch=True)
    settling.settle(first)
    settling.settle(second)

    log.seal()
    outcomes = [answers(log.append_usage(each)) for each in (first, second)]

    assert outcomes == [
        ([DUPLICATE, APPENDED], [1, 2]),
        ([DUPLICATE, APPENDED, DUPLICATE], [2, 3, 1]),
    ]
