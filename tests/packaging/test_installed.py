"""The distribution works where it is installed, without this checkout.

Each test installs from the index, which takes a minute or two.
"""

import re
import tomllib
import zipfile
from pathlib import Path

import pytest

import metering
from tests.documentation.pages import PAGES, ROOT, blocks
from tests.packaging.environments import (
    OLDEST,
    Environment,
    build,
    interpreter,
    make_environment,
    newest_version,
)

pytestmark = [pytest.mark.installs, pytest.mark.slow]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSUMER = """
from datetime import datetime

import metering


def bill(store: str) -> str:
    with metering.connect(store) as m:
        event = m.meter_events.create(event_name="tokens", payload={"value": "1"})
        recorded: datetime = event.created
        return f"{event.identifier} {recorded:%c}"
"""
MISTAKE = "metering.connect(1)"
ENCRYPTING = """
import os
os.environ["METERING_SECRET_KEY"] = "0" * 64
import metering
metering.connect(":memory:").webhook_endpoints.create(
    url="https://example.com/", enabled_events=["*"]
)
"""


@pytest.fixture(scope="module")
def python() -> str:
    """The oldest interpreter that is supported."""
    found = interpreter(OLDEST)
    if found is None:
        pytest.skip(f"there is no python{OLDEST}")
    return found


@pytest.fixture(scope="module")
def distributions(
    tmp_path_factory: pytest.TempPathFactory, python: str
) -> dict[str, Path]:
    """The wheel and the source distribution, by their suffixes."""
    directory = tmp_path_factory.mktemp("distributions")
    return {path.suffix: path for path in build(directory, python)}


@pytest.mark.parametrize("version", dict.fromkeys([OLDEST, newest_version()]))
def test_a_wheel_works_without_extras(
    version: str, distributions: dict[str, Path], tmp_path: Path
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no python{version}")
    environment = make_environment(tmp_path / "environment", python)

    environment.install(distributions[".whl"], "mypy")

    assert environment.run("metering", "--version").split()[-1] == metering.__version__
    assert "ingest" in environment.run("python", "-m", "metering", "--help")
    check_readme(environment, tmp_path)
    check_types(environment, tmp_path)
    check_missing_extras(environment)


def test_a_source_distribution_works(
    distributions: dict[str, Path], tmp_path: Path, python: str
) -> None:
    environment = make_environment(tmp_path / "environment", python)

    environment.install(distributions[".gz"])

    check_readme(environment, tmp_path)


def test_the_lowest_versions_that_are_allowed_work(
    distributions: dict[str, Path], tmp_path: Path, python: str, postgresql_url: str
) -> None:
    extras = ("distributed", "encryption", "postgresql", "server")
    allowed = [
        PROJECT["dependencies"],
        *map(PROJECT["optional-dependencies"].get, extras),
    ]
    constraints = tmp_path / "lowest.txt"
    constraints.write_text(
        "\n".join(
            re.sub(r"\[.*\]", "", requirement).replace(">=", "==")
            for requirements in allowed
            for requirement in requirements
        )
    )
    environment = make_environment(tmp_path / "environment", python)

    environment.install(
        "--constraint", constraints, f"{distributions['.whl']}[{','.join(extras)}]"
    )

    check_readme(environment, tmp_path)
    opened = f"import metering, metering.server.http.serving, distributed\nmetering.connect({postgresql_url!r}).close()"
    environment.run("python", "-c", opened)
    environment.run("python", "-c", ENCRYPTING)
    environment.run("metering", "demo", "--events", "2000", cwd=tmp_path)


def test_a_wheel_carries_its_pages_and_types(distributions: dict[str, Path]) -> None:
    shipped = set(zipfile.ZipFile(distributions[".whl"]).namelist())

    packages = ("metering", "projections", "ledger")
    pages = [page.relative_to(ROOT) for page in PAGES]
    wanted = {str(page) for page in pages if page.parts[0] in packages}
    assert wanted
    assert wanted | {f"{package}/py.typed" for package in packages} <= shipped


def check_readme(environment: Environment, directory: Path) -> None:
    """Run the examples of README that need no backend's own packages."""
    texts = [
        block.text
        for block in blocks(ROOT / "README.md", "python")
        if "flask" not in block.text
    ]
    script = directory / "readme.py"
    script.write_text("\n".join(texts))

    printed = environment.run("python", script, cwd=directory).splitlines()

    assert printed == re.findall(r"# prints (.*)$", "\n".join(texts), re.MULTILINE)


def check_types(environment: Environment, directory: Path) -> None:
    """Check a program that uses the library, by the types that it carries."""
    consumer, mistake = directory / "consumer.py", directory / "mistake.py"
    consumer.write_text(CONSUMER)
    mistake.write_text(f"import metering\n{MISTAKE}\n")

    environment.run("mypy", "--strict", consumer, cwd=directory)
    with pytest.raises(AssertionError, match="arg-type"):
        environment.run("mypy", "--strict", mistake, cwd=directory)


def check_missing_extras(environment: Environment) -> None:
    """See that what an extra brings is asked for by the extra's name."""
    for command, extra in [
        (["meters", "--store", "postgresql://nowhere/usage"], "postgresql"),
        (["serve", "--store", "usage"], "server"),
    ]:
        with pytest.raises(AssertionError, match=rf"metering-engine\[{extra}\]"):
            environment.run("metering", *command)
    with pytest.raises(AssertionError, match=r"metering-engine\[encryption\]"):
        environment.run("python", "-c", ENCRYPTING)
