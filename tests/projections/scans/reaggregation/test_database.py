"""The DuckDB of a process: a fork does no harm, and no file of its own is left."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import os
import sys

import numpy as np

from projections.scans.reaggregation.partial import combine, partial
from tests.projections.scans.reaggregation.asking import NONE, event, question
from tests.projections.scans.reaggregation.segments import table_of

def ask():
    found = partial(question(), table_of([event(1), event(2)]), NONE, threads=2)
    assert combine(question(), [found], threads=2)["event_count"].to_pylist() == [2]

ask()
child = os.fork()
ask()
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_fork_asks_as_its_parent_does(tmp_path: Path) -> None:
    root = Path(__file__).parents[4]

    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
