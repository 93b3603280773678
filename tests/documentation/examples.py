"""Run the examples of a page as a reader would, in an empty directory.

What a reader puts in the place of a name that is only an example, such as
``postgresql://…``, is put there before a block runs.
"""

import contextlib
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from typer.testing import CliRunner

from metering.cli.app import app
from tests.documentation.pages import ROOT, Block, blocks

PORT = "12111"
KEY = "sk_test_…"
_SECONDS_MAX = 60
_NOT_ONE_COMMAND = re.compile(r"[|&;<>$`]")
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


class Reader:
    """Runs a page's blocks one after the other; state carries over from each to the next.

    A command ``metering …`` runs in this process, which saves its start; every other
    one, and what a shell has to take apart, runs in a shell. A server that a block
    starts in the background is stopped at the end.

    Args:
        places: what stands for each name that is only an example.
    """

    def __init__(
        self, directory: Path, places: Mapping[str, Callable[[], str]]
    ) -> None:
        self._directory = directory
        self._places = dict(places)
        self._names: dict[str, object] = {"__name__": "__main__"}
        self._environment = {
            **os.environ,
            "COLUMNS": "100",
            "PATH": f"{_tools(directory)}{os.pathsep}{os.environ['PATH']}",
        }
        self._background: list[subprocess.Popen[bytes]] = []

    def read(self, page: Path) -> None:
        """Run all blocks of a page."""
        for block in blocks(page):
            run = {
                "python": self._python,
                "shell": self._shell,
                "console": self._console,
            }.get(block.language)
            if run is not None:
                run(block, f"{page}:{block.line}")

    def close(self) -> None:
        """Stop what runs in the background."""
        for process in self._background:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _python(self, block: Block, place: str) -> None:
        # Lines before the block, so that a traceback names the line of the page.
        source = "\n" * (block.line - 1) + self._placed(block.text)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, place.rpartition(":")[0], "exec"), self._names)
        promised = re.findall(r"# prints (.*)$", block.text, re.MULTILINE)
        assert printed.getvalue().splitlines() == promised, place

    def _shell(self, block: Block, place: str) -> None:
        for command in _commands(block.text):
            self._run(command, place)

    def _console(self, block: Block, place: str) -> None:
        for command, promised in _dialogues(block.text):
            printed = self._run(command, place)
            assert _fits(promised, printed), f"{place}: {command}\n{printed}"

    def _run(self, command: str, place: str) -> str:
        command = self._placed(command)
        words = shlex.split(command, comments=True)
        if words[:2] == ["pip", "install"]:
            _check_extras(words[-1])
            return ""
        if words[0] == "make":
            _check_target(words[1])
            return ""
        if words[0] == "pytest":
            assert all((ROOT / path).exists() for path in words[1:]), command
            return ""
        if words[-1] == "&":
            self._start(command)
            return ""
        if words[0] == "metering" and not _NOT_ONE_COMMAND.search(command):
            result = CliRunner(env=self._environment).invoke(app, words[1:])
            assert result.exit_code == 0, f"{place}: {command}\n{result.output}"
            return result.stdout
        done = self._in_shell(
            f"{command}\nstatus=$?; env -0 > .environment; exit $status"
        )
        assert done.returncode == 0, f"{place}: {command}\n{done.stderr}"
        self._take_over_environment()
        return done.stdout

    def _in_shell(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=self._directory,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS_MAX,
        )

    def _take_over_environment(self) -> None:
        written = self._directory / ".environment"
        pairs = written.read_text().split("\0")
        written.unlink()
        self._environment |= dict(pair.split("=", 1) for pair in pairs if pair)
        if "KEY" in self._environment:
            self._places[KEY] = lambda: self._environment["KEY"]

    def _start(self, command: str) -> None:
        port = self._placed(PORT)
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command.rstrip().removesuffix('&')}"],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._background.append(process)
        _wait_for(int(port), process)

    def _placed(self, text: str) -> str:
        for name, place in self._places.items():
            if name in text:
                text = text.replace(name, place())
        return text


def _tools(directory: Path) -> Path:
    """Make a folder of programs: this interpreter, and this checkout's commands."""
    tools = directory / ".tools"
    tools.mkdir()
    for name, module in [("python", ""), ("metering", "-m metering")]:
        program = tools / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        program.chmod(0o755)
    return tools


def free_port() -> str:
    """Return a port of the loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _commands(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _dialogues(text: str) -> Iterator[tuple[str, list[str]]]:
    assert text.startswith("$ ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *printed = part.replace("\\\n", " ").splitlines()
        yield command, printed


def _fits(promised: list[str], printed: str) -> bool:
    pattern = ".*".join(map(re.escape, "\n".join(promised).split("…")))
    trimmed = "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, trimmed, re.DOTALL) is not None


def _check_extras(requirement: str) -> None:
    name, _, extras = requirement.rstrip("]").partition("[")
    assert name == _PROJECT["name"]
    known = _PROJECT["optional-dependencies"]
    assert all(extra in known for extra in extras.split(",") if extra), requirement


def _check_target(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(_SECONDS_MAX * 20):
        assert process.poll() is None, "what was started in the background has ended"
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
