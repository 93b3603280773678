"""Own how these tests run a command in their own process, and what a failure looks like."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from typer.testing import CliRunner, Result

from metering.cli.app import app


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def run_program(*arguments: str, **environment: str) -> CompletedProcess[bytes]:
    """Run a command in a process of its own, with more in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "metering", *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


def document(*arguments: str | Path) -> Any:
    """The one JSON document that a command prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_float=Decimal)


def lines(*arguments: str | Path) -> list[Any]:
    """The JSON documents that a command prints, one in each line."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [
        json.loads(line, parse_float=Decimal) for line in result.stdout.splitlines()
    ]


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


def assert_malformed(result: Result, *words: str) -> None:
    """Check that it ended with 2 and an error stream that has all words."""
    assert result.exit_code == 2
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
