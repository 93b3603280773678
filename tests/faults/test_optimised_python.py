"""Python without its assertions: the same log and the same numbers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.usage import expected_totals

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-O"]], ids=["plain", "optimised"])
def test_a_store_is_the_same_with_and_without_assertions(
    tmp_path: Path, options: list[str]
) -> None:
    command = [sys.executable, *options, "-m", "tests.faults.optimised", str(tmp_path)]

    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, check=True, text=True
    )

    seen: dict[str, Any] = json.loads(finished.stdout)
    counted = [number for number in range(200) if number != 7]
    assert seen == {
        "receipt": [199, 1, 0],
        "position": 202,
        "meters": ["tokens"],
        "events": list(range(2, 202)),
        "totals": {
            key: f"{total.normalize():f}"
            for key, total in expected_totals(counted).items()
        },
        "problems": [],
    }
