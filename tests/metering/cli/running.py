"""Own how these tests run a command in their own process, and what a failure looks like."""

from pathlib import Path

from typer.testing import CliRunner, Result

from metering.cli.app import app


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def assert_fails(result: Result, *words: str) -> None:
    """Check that it ended with 1 and one line on the error stream that has all words."""
    assert result.exit_code == 1
    assert result.stderr.startswith("metering: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


def assert_only_fails(result: Result, *words: str) -> None:
    """Check as well that nothing was printed that is taken for a result."""
    assert_fails(result, *words)
    assert result.stdout == ""
