"""Own how these tests run Stripe's Node client, where it is on this machine."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent / "npm"
INSTALLED = Path(__file__).parents[2] / ".venv" / "npm" / "node_modules"
NODE_MAJOR_MIN = 20


def what_is_missing() -> str | None:
    """Say what is missing to run the client, and how to get it."""
    if shutil.which("node") is None:
        return f"there is no node: install Node.js {NODE_MAJOR_MIN} or newer, with npm"
    version = subprocess.run(
        ["node", "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < NODE_MAJOR_MIN:
        return f"node is {version}: install Node.js {NODE_MAJOR_MIN} or newer, with npm"
    wanted = json.loads((SCRIPTS / "package.json").read_text())["dependencies"]
    found = INSTALLED / "stripe" / "package.json"
    if (
        not found.exists()
        or json.loads(found.read_text())["version"] != wanted["stripe"]
    ):
        return (
            f"the npm package stripe {wanted['stripe']} is not in .venv/npm:"
            " `make test` installs it where the network is"
        )
    return None


def lay_out(directory: Path) -> None:
    """Lay the scripts beside the package, where node looks for what they import."""
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, directory)
    (directory / "node_modules").symlink_to(INSTALLED)


def printed_by(script: Path, *arguments: str) -> Any:
    """Run a script to its end; the JSON that it printed."""
    done = subprocess.run(
        ["node", str(script), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
