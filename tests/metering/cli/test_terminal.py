import gc
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import metering
from metering.cli.collecting import collect_later
from metering.cli.targets import StoreTarget
from tests.metering.cli.running import run, run_program
from tests.metering.usual_usage import create_event, create_meter

pytestmark = pytest.mark.slow

DAY = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(place: Path) -> None:
    """A store with two hours of usage."""
    clock = metering.FixedClock(DAY + timedelta(hours=1))
    with metering.connect(place, clock=clock) as m:
        create_meter(m)
        for hours in (0, 1):
            create_event(m, timestamp=DAY + timedelta(hours=hours))


def test_pipe_gets_plain_text_and_no_progress(store: None) -> None:
    result = run_program("verify")

    assert result.returncode == 0
    assert result.stderr == b""
    assert b"\x1b" not in result.stdout


def test_progress_shows_on_a_terminal(store: None) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "metering", "verify"]
    try:
        result = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=False,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "Verifying" in shown
    assert "/s" in shown
    assert b"\x1b" not in result.stdout


def test_reader_that_has_seen_enough_causes_no_traceback(store: None) -> None:
    command = [sys.executable, "-m", "metering", "events", "--json"]
    with subprocess.Popen(
        [*command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        complaint = program.stderr.read()

    assert b"Traceback" not in complaint


@pytest.mark.parametrize("loaded", ["typer", "sqlalchemy"])
def test_control_c_while_the_program_loads_is_one_line(
    loaded: str, store: None
) -> None:
    program = f"""
import sys
class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == {loaded!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
sys.argv = ["metering", "meters"]
from metering.cli.entry import main
main()
"""

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )

    assert result.returncode == 130
    assert result.stdout == ""
    assert result.stderr.startswith("metering: Interrupted")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("loaded", ["typer", "sqlalchemy", "numpy", "duckdb"])
def test_control_c_is_one_line_whatever_loads(loaded: str, store: None) -> None:
    """What loads may turn the exception of an interrupt into another one."""
    program = f"""
import signal, sys
class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == {loaded!r}:
            try: signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt: raise ImportError("half a module") from None
sys.meta_path.insert(0, Interrupted())
sys.argv = ["metering", "sql", "SELECT 1"]
from metering.cli.entry import main
main()
"""

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )

    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == "metering: Interrupted\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize(
    "arguments", ["--version", "--help", "meters", "meters --json"]
)
def test_output_that_cannot_be_written_is_one_line(arguments: str, store: None) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "metering", *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )

    assert result.returncode == 1
    assert result.stderr == "metering: No space left on device\n"


def test_output_that_was_closed_is_one_line() -> None:
    command = f"exec {sys.executable} -m metering --version"

    closed = subprocess.run(
        ["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, check=False, text=True
    )
    quiet = subprocess.run(["sh", "-c", f"{command} >&- 2>&-"], check=False)
    unheard = subprocess.run(
        ["sh", "-c", f"{command} 2>&-"], stdout=subprocess.PIPE, check=False, text=True
    )

    assert (closed.returncode, closed.stderr) == (
        1,
        "metering: There is no standard output\n",
    )
    assert quiet.returncode == 1
    assert (unheard.returncode, unheard.stdout[:9]) == (0, "metering ")


def test_help_and_completion_load_no_store() -> None:
    program = """
import os
import sys
from metering.cli.app import COMMANDS
from metering.cli.entry import main
def loaded(*modules):
    return sorted(set(modules) & set(sys.modules))
def run(*arguments, **environment):
    sys.argv, os.environ = ["metering", *arguments], {**os.environ, **environment}
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, arguments
run("--version")
run("--help")
run("meters", "--help")
for words in ("metering me", "metering ", "metering meters create --f"):
    number = str(words.count(" "))
    run(_METERING_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=number)
print("to begin with:", loaded("sqlalchemy", "pyarrow", "numpy"))
del os.environ["_METERING_COMPLETE"]
for name in COMMANDS:
    run(name, "--help")
print("in all:", loaded("sqlalchemy", "duckdb", "urllib3", "uvicorn", "metering.connection"))
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )

    lines = ended.stdout.splitlines()
    assert {"meters", "repair", "--formula"} <= set(lines)
    assert {"to begin with: []", "in all: []"} <= set(lines)


def test_screen_without_the_characters_gets_others(store: None) -> None:
    run("meters", "update", "tokens", "--display-name", "Marqués")
    times = ["--start", "2025-03-01", "--end", "2025-03-02", "--by", "hour"]
    ask = ["summaries", "tokens", "--customer", "cus_1", *times]

    result = run_program(*ask, PYTHONIOENCODING="ascii")

    assert result.returncode == 0
    assert b"Marqu\\xe9s, sum" in result.stdout
    assert b"##\n" in result.stdout
    assert result.stdout.isascii()


def test_names_cannot_move_the_cursor(place: Path) -> None:
    meter = ["meters", "create", "--formula", "sum", "--event-name", "\x1b[2Jx"]
    grant = ["credits", "grant", "--amount", "1", "--currency", "usd"]

    for result in (
        run(*meter, "--display-name", "[red]\u202ex"),
        run("meters"),
        run(*grant, "--customer", "\x1b[2Jx", "--name", "[red]\u202ex"),
        run("credits", "list"),
    ):
        assert "\\x1b[2Jx" in result.stdout
        assert "[red]\\u202ex" in result.stdout
        assert "\x1b" not in result.stdout
    history = run("credits", "history", "--customer", "\x1b[2Jx").stdout
    assert "\\x1b[2Jx" in history
    assert "\x1b" not in history + run(*meter).stderr


def test_what_a_command_makes_is_collected_once_its_store_is_open(place: Path) -> None:
    collect_later()

    try:
        with StoreTarget(store=str(place), segments=None, cache=None).open(create=True):
            is_collected = gc.isenabled()
    finally:
        gc.enable()

    assert is_collected
