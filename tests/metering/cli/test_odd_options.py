"""Whatever a shell passes as the value of an option or argument, no command has a traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperArgument

import metering
from tests.documentation.commands import all_commands
from tests.metering.cli.running import run
from tests.metering.usual_usage import create_event, create_meter

pytestmark = pytest.mark.slow

# An argument that is not UTF-8 has half surrogate pairs.
ODD = ("\udcff", "9" * 5_000)
NEEDED = {
    "amount": "1",
    "currency": "usd",
    "files": "events.csv",
    "formula": "sum",
    "meter": "tokens",
    "query": "SELECT 1",
    "url": "https://example.com",
}
# They report, and end with 1 where all was rejected.
REPORTING = {"ingest", "credits apply", "credits reinstate"}
# They run until they are stopped.
ENDLESS = {"serve", "worker", "demo"}


@pytest.fixture
def store(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with an event, and a file of one."""
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text("event_name,stripe_customer_id,value\ntokens,c,1\n")
    with metering.connect(place) as m:
        create_meter(m)
        create_event(m)


def commands() -> Iterator[str]:
    for name, _ in all_commands():
        if name.split()[1] not in ENDLESS:
            yield name.removeprefix("metering ")


@pytest.mark.parametrize("words", list(commands()))
def test_odd_values_are_taken_or_refused_in_a_line(words: str, store: None) -> None:
    command = dict(all_commands())[f"metering {words}"]
    params = [each for each in command.params if not getattr(each, "is_flag", False)]
    for odd, param in ((odd, each) for odd in ODD for each in params):
        options, arguments = [], []
        for each in params:
            name = each.name or ""
            value = odd if each is param else NEEDED.get(name, "x")
            if isinstance(each, TyperArgument):
                arguments.append(value)
            elif each is param or each.required:
                options.append(f"{each.opts[0]}={value}")

        result = run(
            *words.split(), *options, *(["--", *arguments] if arguments else [])
        )

        assert result.exit_code in {0, 1, 2}, result.exception
        assert isinstance(result.exception, SystemExit | None), (param.name, odd)
        if result.exit_code == 1 and words not in REPORTING:
            assert result.stderr.count("\n") == 1, (param.name, odd)
