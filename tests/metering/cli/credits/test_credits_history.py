import fcntl
import os
import pty
import re
import struct
import termios
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering.cli.screens.charts import (
    ROWS_AT_MOST,
    ChartLine,
    Paper,
    Step,
    balance_chart,
)
from tests.metering.cli.running import lines, run, run_program
from tests.metering.usual_credits import apply, grant, line
from tests.programs import Program

DAY = datetime(2025, 3, 1, tzinfo=UTC)
ALL_DAYS = ["--start", "2025-03-01", "--end", "2025-03-11"]
HISTORY = ["credits", "history", "--customer", "cus_1"]
GIVE = ["credits", "grant", "--customer", "cus_1"]


@pytest.fixture
def store(place: Path) -> None:
    """A store in which credits are granted, pending, applied and expire."""
    clock = metering.FixedClock(DAY + timedelta(days=1))
    with metering.connect(place, clock=clock) as m:
        grant(m, 100_00, expires_at=DAY + timedelta(days=8))
        clock.advance(timedelta(days=1))
        grant(m, 50_00, effective_at=DAY + timedelta(days=6))
        clock.advance(timedelta(days=2))
        apply(m, "in_1", line(15_01), period_end=DAY + timedelta(days=3))


def test_history_is_a_plot_and_the_changes_below(store: None) -> None:
    result = run(*HISTORY, *ALL_DAYS)

    assert result.stdout.splitlines() == [
        "Credits of cus_1",
        "2025-03-01 00:00:00 to 2025-03-11 00:00:00 UTC",
        "",
        "USD: █ available, ░ pending",
        "160.00 ┤              ░░░░░░░░░░░░░░",
        "       ┤              ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▅▅▅▅▅▅▅▅▅▅▅▅▅▅",
        "120.00 ┤              ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░██████████████",
        "       ┤       █████████████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁██████████████",
        " 80.00 ┤       ██████████████████████████████████████████████████",
        "       ┤       ██████████████████████████████████████████████████▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄",
        " 40.00 ┤       █████████████████████████████████████████████████████████████████",
        "       ┤       █████████████████████████████████████████████████████████████████",
        "  0.00 └────────────────────────────────────────────────────────────────────────",
        "        2025-03-01                     2025-03-06                     2025-03-11",
        "",
        "from (UTC)           available  ledger",
        "──────────────────────────────────────",
        "2025-03-01 00:00:00       0.00    0.00",
        "2025-03-02 00:00:00     100.00  100.00",
        "2025-03-03 00:00:00     100.00  150.00",
        "2025-03-05 00:00:00      84.99  134.99",
        "2025-03-07 00:00:00     134.99  134.99",
        "2025-03-09 00:00:00      50.00   50.00",
    ]


def test_history_keeps_the_last_changes_where_there_are_many(store: None) -> None:
    shown = run(*HISTORY, *ALL_DAYS, "--limit", "2").stdout

    assert shown.splitlines()[-5:] == [
        "from (UTC)           available  ledger",
        "──────────────────────────────────────",
        "2025-03-07 00:00:00     134.99  134.99",
        "2025-03-09 00:00:00      50.00   50.00",
        "4 earlier rows left out; --limit shows more.",
    ]
    assert lines(*HISTORY, *ALL_DAYS, "--limit", "2") == [
        {
            "instant": "2025-03-07T00:00:00Z",
            "currency": "usd",
            "ledger_balance": 13499,
            "available_balance": 13499,
            "held_balance": 0,
        },
        {
            "instant": "2025-03-09T00:00:00Z",
            "currency": "usd",
            "ledger_balance": 5000,
            "available_balance": 5000,
            "held_balance": 0,
        },
    ]


def test_history_without_a_start_begins_with_the_first_credits(store: None) -> None:
    end = ["--end", "2025-03-11"]

    usual = run(*HISTORY, *end).stdout.splitlines()
    first, *_ = lines(*HISTORY, *end)

    assert usual[1] == "2025-03-02 00:00:00 to 2025-03-11 00:00:00 UTC"
    assert first["instant"] == "2025-02-09T00:00:00Z"
    assert first["ledger_balance"] == 0


def test_history_up_to_a_future_time_begins_with_credits_that_there_are(
    place: Path,
) -> None:
    give = [*GIVE, "--amount", "5"]
    run(*give, "--currency", "usd", "--expires-at", "9000-01-01")

    shown = run(*HISTORY, "--end", "9001-01-01").stdout.splitlines()

    assert shown[4].startswith("5.00 ┤█")
    assert shown[-1] == "9000-01-01 00:00:00       0.00    0.00"


def test_history_ends_after_what_was_just_recorded(place: Path) -> None:
    give = [*GIVE, "--amount", "5"]
    run(*give, "--currency", "jpy")

    shown = run(*HISTORY).stdout

    assert re.search("^5 ┤ *█+$", shown, re.MULTILINE)


def test_history_plots_each_currency_alone(store: None) -> None:
    give = [*GIVE, "--amount", "5.000"]
    run(*give, "--currency", "kwd")

    shown = run(*HISTORY, "--start", "2025-03-01").stdout

    assert shown.index("KWD: █ available") < shown.index("USD: █ available")
    assert "5.000 ┤" in shown


def test_history_on_a_screen_without_blocks_is_drawn_in_ascii(store: None) -> None:
    result = run_program(*HISTORY, *ALL_DAYS, PYTHONIOENCODING="ascii")

    assert result.stdout.isascii()
    assert b"USD: @ available, ~ pending" in result.stdout
    assert b"120.00 |" in result.stdout
    assert b"  0.00 +-----" in result.stdout


@pytest.mark.parametrize("width", [60, 80, 120])
def test_screens_fit_the_terminal(
    width: int, store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)

    for arguments in (HISTORY + ALL_DAYS, ["credits"]):
        rows = on_terminal(width, *arguments)

        assert max(len(row.rstrip()) for row in rows) <= width
        if "history" in arguments:
            axis = next(row for row in rows if "└" in row)
            assert width - 1 <= len(axis) <= width
        else:
            assert sum("credgr_test_" in row for row in rows) == 2


def on_terminal(width: int, *arguments: str) -> list[str]:
    """Run the program on a terminal, and give what it shows without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    with os.fdopen(ours, "rb", buffering=0) as screen:
        try:
            with Program(*arguments, terminal=os.ttyname(theirs)) as program:
                assert program.wait() == 0
        finally:
            os.close(theirs)
        written = b""
        with suppress(OSError):  # Everything was read, and nobody else writes.
            while part := screen.read(1 << 16):
                written += part
    shown = written.decode()
    bare = shown.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "\x1b" not in bare
    return bare.splitlines()


PAPER = Paper(width=30, is_plain=False)


def heights(lines: list[ChartLine], column: int) -> str:
    """Read a column of a chart, from the lowest row up."""
    return "".join(
        line.drawn[column] if column < len(line.drawn) else " "
        for line in reversed(lines[:-2])
    ).rstrip()


def test_full_cell_reaches_the_amount_beside_it() -> None:
    below = [Step(instant=0, available=999, ledger=999)]
    exact = [Step(instant=0, available=1000, ledger=1000)]

    lines = balance_chart(exact, (0, 10), str, PAPER)

    assert lines[0].label == "1000 ┤"
    assert heights(lines, 0) == "█" * 10
    assert heights(balance_chart(below, (0, 10), str, PAPER), 0) == "█" * 9 + "▇"


def test_smallest_amount_shows_beside_the_largest() -> None:
    steps = [
        Step(instant=0, available=10**12, ledger=10**12),
        Step(instant=5, available=1, ledger=1),
    ]

    assert heights(balance_chart(steps, (0, 10), str, PAPER), 0) == "█" * 10
    assert heights(balance_chart(steps, (0, 10), str, PAPER), 15) == "▁"


def test_step_shows_in_the_column_that_begins_with_it() -> None:
    steps = [
        Step(instant=0, available=0, ledger=0),
        Step(instant=10, available=2, ledger=2),
    ]
    columns = 20

    lines = balance_chart(steps, (0, columns), str, Paper(width=23, is_plain=False))

    assert len(lines[-2].label) - len("0 └") == columns
    assert lines[0].drawn == " " * 10 + "█" * 10


@given(
    amounts=st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), min_size=1
    ),
    width=st.integers(1, 200),
    is_plain=st.booleans(),
)
def test_chart_keeps_to_its_paper(
    amounts: list[tuple[int, int]], width: int, *, is_plain: bool
) -> None:
    """Lines are as wide as the line below them at most, rows are few, amounts rise."""
    steps = [
        Step(instant=at * 7, available=available, ledger=available + pending)
        for at, (available, pending) in enumerate(amounts)
    ]
    paper = Paper(width=width, is_plain=is_plain)

    lines = balance_chart(steps, (0, len(steps) * 7), str, paper)

    rows, (base, times) = lines[:-2], lines[-2:]
    assert 1 <= len(rows) <= ROWS_AT_MOST
    assert all(len(row.label + row.drawn) <= len(base.label) for row in rows)
    assert len(times.label) >= len(base.label) or width > 40
    labels = [row.label[:-1].strip() for row in [*rows, base]]
    shown = [int(label.rstrip("└+─-| ")) for label in labels if label.strip("└+─- ")]
    assert shown[0] >= max(step.ledger for step in steps)
    assert shown == sorted(shown, reverse=True)
