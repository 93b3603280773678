"""Own clean environments: a virtual environment with a distribution and nothing else."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.documentation.pages import ROOT

OLDEST = "3.11"
_SECONDS_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment, which sees nothing of this checkout."""

    path: Path

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run one of its programs to its end; what it printed on both streams."""
        program, *arguments = map(str, command)
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "METERING_STORE")
        done = subprocess.run(
            [self.path / "bin" / program, *arguments],
            cwd=cwd or self.path,
            env={k: v for k, v in os.environ.items() if k not in hidden},
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS_MAX,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def install(self, *requirements: str | Path) -> None:
        """Install packages and what they need."""
        self.run("python", "-m", "pip", "install", "--quiet", *requirements)


def make_environment(path: Path, python: str) -> Environment:
    """Make an environment of an interpreter."""
    subprocess.run([python, "-m", "venv", path], check=True, timeout=_SECONDS_MAX)
    return Environment(path=path)


def interpreter(version: str) -> str | None:
    """Find an interpreter of a version, such as ``3.11``; None where there is none."""
    found = shutil.which(f"python{version}")
    # A shim of pyenv may be there for an interpreter that is not chosen.
    works = found and subprocess.run([found, "-V"], check=False, capture_output=True)
    return found if works and works.returncode == 0 else None


def newest_version() -> str:
    """Return the version of the newest interpreter that is found."""
    newer = (f"3.{minor}" for minor in range(19, 11, -1))
    return next(filter(interpreter, newer), OLDEST)


def build(directory: Path, python: str) -> Iterator[Path]:
    """Build the source distribution of this checkout, and from it the wheel."""
    tools = make_environment(directory / "tools", python)
    tools.install("build")
    tools.run("python", "-m", "build", "--outdir", directory / "dist", ROOT)
    yield from sorted((directory / "dist").iterdir())
