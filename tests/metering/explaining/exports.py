"""Own how an exported explanation is checked as a customer does: with Python alone."""

import hashlib
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest


def checked(directory: Path, *digest: str) -> str:
    """What the checker says: what is well, or the line that says what is wrong."""
    command = [sys.executable, "-I", "-S", str(directory / "check.py"), *digest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    is_well = done.returncode == 0 and done.stdout.startswith("ok: ")
    return done.stdout if is_well else done.stderr or "wrong: it says nothing"


def confirm(directory: Path, digest: str) -> None:
    """Run the checker in this process, which is faster; it must find nothing wrong."""
    script = str(directory / "check.py")
    with pytest.MonkeyPatch.context() as changed, redirect_stdout(StringIO()):
        changed.setattr(sys, "argv", [script, digest])
        runpy.run_path(script, run_name="__main__")


def sign_again(directory: Path) -> None:
    """Write the digests of the files anew, as whoever edits them may do."""
    known = (directory / "SHA256SUMS").read_text().splitlines()
    names = [line.split("  ")[1] for line in known]
    (directory / "SHA256SUMS").write_text(
        "".join(
            f"{hashlib.sha256((directory / name).read_bytes()).hexdigest()}  {name}\n"
            for name in names
        )
    )
