"""Threads that append at the same time share commits, and each gets its own answer."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import count

import pytest

from ledger.appending.drafts import Draft, Outcome, Status
from ledger.appending.group_commit import GroupCommit
from ledger.errors import LedgerError, StoreUnavailableError
from ledger.log import Log
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import append, draft, positions, row, statuses, stored_rows
from tests.ledger.faulty_database import GatedDatabase
from tests.waiting import eventually

pytestmark = pytest.mark.dialect

THREADS = 64


class RefusedError(LedgerError):
    """What a commit of these tests raises."""


class ClumsyError(Exception):
    """What no commit should raise."""


def append_at_once(log: Log, drafts: Iterable[Draft]) -> list[Future[Outcome]]:
    """Append each draft in a thread of its own, all begun before any goes on."""
    waiting = list(drafts)
    barrier = threading.Barrier(len(waiting))

    def append_one(each: Draft) -> Outcome:
        barrier.wait()
        return log.append_usage(each)

    with ThreadPoolExecutor(len(waiting)) as threads:
        return [threads.submit(append_one, each) for each in waiting]


def test_many_threads_get_consecutive_positions(
    open_store: OpenDatabase, open_log: OpenLog
) -> None:
    with closing(GatedDatabase(open_store())) as database:
        database.gate.set()
        log = open_log(database=database)
        database.gate.clear()
        arrived = threading.Barrier(THREADS + 1)

        def send(number: int) -> Outcome:
            arrived.wait()
            return append(log, row(f"a-{number}"), row(f"b-{number}"))

        with ThreadPoolExecutor(THREADS) as threads:
            sent = [threads.submit(send, number) for number in range(THREADS)]
            arrived.wait()
            database.gate.set()
        outcomes = [future.result() for future in sent]

        taken = sorted(position for each in outcomes for position in positions(each))
        assert taken == list(range(1, 2 * THREADS + 1))
        assert all(positions(each)[1] == positions(each)[0] + 1 for each in outcomes)
        by_position = dict(stored_rows(log))
        for number, outcome in enumerate(outcomes):
            assert by_position[positions(outcome)[0]] == row(f"a-{number}")
            assert by_position[positions(outcome)[1]] == row(f"b-{number}")


def test_appends_at_once_take_few_commits(log: Log) -> None:
    rounds = count()

    def take_few() -> bool:
        before, number = len(list(log.commits())), next(rounds)
        append_at_once(
            log, (draft([row(f"{number}-{each}")]) for each in range(THREADS))
        )
        made = len(list(log.commits())) - before
        return made <= THREADS // 4

    # A busy machine may spread the threads of a round, but not of each.
    eventually(take_few)


def test_of_equal_events_sent_at_once_one_is_recorded(log: Log) -> None:
    sent = append_at_once(
        log, (draft([row("same"), row(f"other-{number}")]) for number in range(16))
    )

    outcomes = [future.result() for future in sent]
    first = Counter(statuses(outcome)[0] for outcome in outcomes)
    assert first == {Status.APPENDED: 1, Status.DUPLICATE: 15}
    assert len({positions(outcome)[0] for outcome in outcomes}) == 1
    assert all(statuses(outcome)[1] is Status.APPENDED for outcome in outcomes)
    assert log.head().position == 17


def test_of_contradicting_events_sent_at_once_one_is_recorded(log: Log) -> None:
    sent = append_at_once(
        log, (draft([row("same", value=str(number))]) for number in range(16))
    )

    outcomes = [future.result() for future in sent]
    assert Counter(statuses(outcome)[0] for outcome in outcomes) == {
        Status.APPENDED: 1,
        Status.CONFLICT: 15,
    }
    conflicts = [each.conflicts for each in outcomes if each.conflicts]
    assert conflicts == [{0: ("value",)}] * 15


def test_stale_and_current_drafts_share_a_group(log: Log) -> None:
    sent = append_at_once(
        log,
        (
            draft([row(f"event-{number}")], facts_position=number % 2)
            for number in range(16)
        ),
    )

    answers = [statuses(future.result()) for future in sent]
    assert answers == [[Status.APPENDED], [Status.STALE]] * 8
    assert log.head().position == 8


def test_rows_and_columns_share_a_group(log: Log) -> None:
    sent = append_at_once(
        log,
        (
            draft(
                [row("same"), row(f"event-{number}", payload=())],
                is_batch=number % 2 == 0,
            )
            for number in range(16)
        ),
    )

    assert sum(len(future.result().conflicts) for future in sent) == 0
    assert sorted(event.identifier for _, event in stored_rows(log)) == sorted(
        ["same", *(f"event-{number}" for number in range(16))]
    )


def test_a_failure_reaches_every_caller_of_the_group_and_nobody_else(
    open_store: OpenDatabase, open_log: OpenLog
) -> None:
    with closing(GatedDatabase(open_store())) as database:
        database.gate.set()
        log = open_log(database=database)
        database.fault = database.losing_the_commit

        sent = append_at_once(
            log, (draft([row(f"event-{number}")]) for number in range(16))
        )
        errors = [future.exception() for future in sent]

        refused = [number for number, error in enumerate(errors) if error]
        assert refused
        assert all(isinstance(errors[each], StoreUnavailableError) for each in refused)
        assert log.head().position == 16 - len(refused)
        again = [append(log, row(f"event-{number}")) for number in range(16)]
        assert [statuses(outcome)[0] for outcome in again] == [
            Status.APPENDED if number in refused else Status.DUPLICATE
            for number in range(16)
        ]


def grouped(
    commit: Callable[[Sequence[str]], Sequence[str]], drafts: Sequence[str]
) -> dict[str, Future[str]]:
    """Submit drafts at once, while the group commit is held, and let it go."""
    group = GroupCommit(commit)
    with ThreadPoolExecutor(len(drafts)) as threads, group.leading:
        return {each: threads.submit(group.submit, each) for each in drafts}


def test_an_error_reaches_all_callers_of_its_group() -> None:
    refused = set[str]()

    def commit(drafts: Sequence[str]) -> Sequence[str]:
        if "bad" in drafts:
            refused.update(drafts)
            raise RefusedError("no")
        return drafts

    sent = grouped(commit, ["bad", *(f"draft-{number}" for number in range(32))])

    assert {name for name, each in sent.items() if each.exception()} == refused
    assert all(isinstance(sent[name].exception(), RefusedError) for name in refused)


def test_an_unexpected_error_ends_with_the_call_that_met_it() -> None:
    def commit(drafts: Sequence[str]) -> Sequence[str]:
        if "bad" in drafts:
            raise ClumsyError
        return drafts

    group = GroupCommit(commit)
    sent = grouped(commit, ["bad", *(f"draft-{number}" for number in range(32))])

    broken = {name for name, future in sent.items() if future.exception()}
    assert "bad" in broken
    # Whoever led the first group with it met it too.
    assert len(broken) <= 2
    with pytest.raises(ClumsyError):
        group.submit("bad")
    assert group.submit("next") == "next"


@pytest.mark.parametrize("leaders", [["first"], ["first", "second"]])
def test_a_caller_that_is_interrupted_while_it_waits_holds_up_nobody(
    leaders: Sequence[str],
) -> None:
    # It waits to be taken behind one leader, or is in the group of the second.
    main = threading.get_ident()
    has_begun, has_left = threading.Event(), threading.Event()

    def wait_for(number: int) -> None:
        # Nothing else shows that a caller sleeps.
        eventually(lambda: len(group._waiting) == number)  # noqa: SLF001

    def commit(drafts: Sequence[str]) -> Sequence[str]:
        if drafts[0] == "first":
            has_begun.set()
            wait_for(len(leaders))
        if drafts[0] == leaders[-1]:
            signal.pthread_kill(main, signal.SIGINT)
            assert has_left.wait(10)
        if "mine" in drafts:
            raise ClumsyError
        return drafts

    group = GroupCommit(commit)
    with ThreadPoolExecutor(len(leaders)) as threads:
        for number, name in enumerate(leaders):
            threads.submit(group.submit, name)
            assert has_begun.wait(10)
            wait_for(number)
        with pytest.raises(KeyboardInterrupt):
            group.submit("mine")
        has_left.set()

    answers = list[str]()
    next_one = threading.Thread(
        target=lambda: answers.append(group.submit("next")), daemon=True
    )
    next_one.start()
    next_one.join(10)
    assert answers == ["next"]


def test_large_drafts_are_committed_in_groups_of_bounded_size() -> None:
    sizes = list[int]()

    def commit(drafts: Sequence[str]) -> Sequence[str]:
        sizes.append(sum(len(each) for each in drafts))
        return drafts

    large = [letter * (1 << 15) for letter in "abcdefghij"]
    sent = grouped(commit, large)

    assert all(future.result() == each for each, future in sent.items())
    assert max(sizes) <= 1 << 16
    assert sum(sizes) == len(large) * (1 << 15)
