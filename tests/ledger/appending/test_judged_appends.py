"""A clock that is wrong appends nothing, on either database.

The logs here are told the time of each append, as a process is by its clock. The judge is
the real one: the server of PostgreSQL, or the time that passes on this machine.
"""

from datetime import timedelta
from functools import partial

import pytest
from msgspec import structs

from ledger.errors import ClockSkewError
from ledger.log import Log
from metering.arguments.clock import system_time
from tests.ledger.conftest import OpenLog
from tests.ledger.drafts import append, draft, meter_created, record, row, rows

YEAR = timedelta(days=365) // timedelta(microseconds=1)
MINUTE = 60 * 1_000_000
SECOND = 1_000_000
SOURCES = {
    "server": "and the database server's 20",
    "process": "and by the time since this process last appended it should be 20",
    "log": "and the log's last entry is of 20",
}


@pytest.fixture
def open_judged(open_log: OpenLog) -> OpenLog:
    """Open this test's log with a judged clock; each one stands for another process."""
    return partial(
        open_log, clock_skew_max=timedelta(minutes=1), system_time=system_time
    )


def on_server(log: Log) -> bool:
    with log.read() as connection:
        return connection.dialect.name == "postgresql"


def refusal(log: Log, recorded_at: int, *, source: str) -> ClockSkewError:
    """Append usage and facts at a time at which both are refused."""
    before = log.head()
    with pytest.raises(ClockSkewError) as refused:
        append(log, row("refused"), recorded_at=recorded_at)
    with pytest.raises(ClockSkewError) as refused_too:
        record(log, meter_created("refused"), recorded_at=recorded_at)
    many = [row(f"{number}", payload=(("x", "y" * 90),)) for number in range(900)]
    with pytest.raises(ClockSkewError):
        append(log, *many, recorded_at=recorded_at)
    assert log.head() == before
    assert SOURCES[source] in refused.value.message
    assert SOURCES[source] in refused_too.value.message
    return refused.value


@pytest.mark.dialect
def test_a_clock_a_year_ahead_is_refused(open_judged: OpenLog) -> None:
    log, now = open_judged(), system_time()
    append(log, row("a"), recorded_at=now)

    source = "server" if on_server(log) else "process"
    error = refusal(log, now + YEAR, source=source)

    assert error.clock - error.against > timedelta(days=364)
    assert append(log, row("b"), recorded_at=system_time()).positions.tolist() == [2]


@pytest.mark.dialect
def test_a_clock_set_back_since_events_were_checked_appends_none_of_them(
    open_judged: OpenLog,
) -> None:
    """They carry times of the clock that was wrong."""
    log, now = open_judged(), system_time()
    sent = draft([row("a", timestamp=now + YEAR)], recorded_at=now)

    with pytest.raises(ClockSkewError, match=r"it showed 20.*; append them again"):
        log.append_usage(structs.replace(sent, checked_at=now + YEAR))
    assert log.head().position == 0
    log.append_usage(structs.replace(sent, checked_at=now + MINUTE))
    assert log.head().position == 1


@pytest.mark.dialect
def test_the_first_append_has_a_judge_where_there_is_a_server(
    open_judged: OpenLog,
) -> None:
    log, now = open_judged(), system_time()

    if on_server(log):
        refusal(log, now + YEAR, source="server")
    else:
        append(log, row("a"), recorded_at=now + YEAR)
        refusal(log, now, source="log")


@pytest.mark.dialect
def test_a_clock_behind_the_log_is_refused(open_judged: OpenLog) -> None:
    another, log, now = open_judged(), open_judged(), system_time()
    append(another, row("a"), recorded_at=now)

    error = refusal(log, now - YEAR, source="log")

    assert "metering repair time --to" in error.message
    assert error.against == error.clock + timedelta(days=365)


@pytest.mark.dialect
def test_within_the_limit_the_time_of_the_log_does_not_go_back(
    open_judged: OpenLog,
) -> None:
    log, now = open_judged(), system_time()
    append(log, row("a"), recorded_at=now)

    outcome = append(log, row("b"), recorded_at=now - 50 * SECOND)
    made = record(log, meter_created("c"), recorded_at=now + 5 * SECOND)

    assert outcome.recorded_at == now
    assert made is not None
    assert made.recorded_at == now + 5 * SECOND


@pytest.mark.dialect
def test_a_log_that_was_idle_for_a_year_is_no_reason(
    open_log: OpenLog, open_judged: OpenLog
) -> None:
    now = system_time()
    append(open_log(), row("a"), recorded_at=now - YEAR)
    log = open_judged()

    assert append(log, row("b"), recorded_at=now).recorded_at == now
    assert append(log, *rows(3), recorded_at=now).recorded_at == now


@pytest.mark.dialect
def test_a_clock_that_was_given_is_not_judged(open_log: OpenLog) -> None:
    log, now = open_log(), system_time()

    for at in (now + YEAR, now, now + 2 * YEAR):
        append(log, row(f"{at}"), recorded_at=at)
        record(log, meter_created(f"{at}"), recorded_at=at)

    assert log.head().recorded_at == now + 2 * YEAR


@pytest.mark.dialect
def test_a_clock_that_was_set_right_since_may_append_when_the_log_is_opened_again(
    open_judged: OpenLog,
) -> None:
    log, now = open_judged(), system_time()
    append(log, row("a"), recorded_at=now - YEAR)

    if on_server(log):
        append(log, row("b"), recorded_at=now)
    else:
        error = refusal(log, now, source="process")
        assert "connect again" in error.message

    assert append(open_judged(), row("c"), recorded_at=now).recorded_at == now


@pytest.mark.dialect
def test_what_others_append_meanwhile_does_not_move_the_anchor(
    open_judged: OpenLog,
) -> None:
    log, another, now = open_judged(), open_judged(), system_time()
    append(log, row("a"), recorded_at=now)
    append(another, row("b"), recorded_at=now + 50 * SECOND)

    refusal(log, now + 100 * SECOND, source="server" if on_server(log) else "process")
    append(log, row("c"), recorded_at=now)

    assert log.head().recorded_at == now + 50 * SECOND


@pytest.mark.dialect
def test_a_wrong_clock_decides_nothing_and_still_writes_beside_the_log(
    open_judged: OpenLog,
) -> None:
    log, now = open_judged(), system_time()
    append(log, row("a"), recorded_at=now)

    with log.writing(lambda: now + YEAR) as writing:
        real_now = writing.real_now
        with pytest.raises(ClockSkewError):
            assert writing.now

    assert now <= real_now < now + 2 * MINUTE


@pytest.mark.dialect
def test_what_lies_beside_a_spoiled_log_goes_by_the_real_time(
    open_log: OpenLog, open_judged: OpenLog
) -> None:
    now = system_time()
    append(open_log(), row("a"), recorded_at=now + YEAR)
    log = open_judged()

    with log.writing(lambda: now) as writing:
        real_now = writing.real_now
    with log.read() as connection:
        read_now = log.judge.real_time(connection, now)

    assert now <= real_now <= read_now < now + 2 * MINUTE


def test_an_identifier_is_not_free_by_a_clock_in_the_future(open_log: OpenLog) -> None:
    """Nor by a log that was spoiled."""
    now = system_time()
    log = open_log(identifier_retention=timedelta(days=1), system_time=system_time)
    append(log, row("a"), recorded_at=now)

    repeated = append(log, row("a"), recorded_at=now + YEAR)
    append(log, row("b"), recorded_at=now + YEAR)
    repeated_in_spoiled = append(log, row("a"), recorded_at=now)

    assert repeated.positions.tolist() == repeated_in_spoiled.positions.tolist() == [1]
