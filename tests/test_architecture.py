"""The rules of the house that a machine can see, beyond those of ruff and mypy."""

import ast
import subprocess
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import metering

ROOT = Path(__file__).parent.parent
PACKAGES = ("metering", "projections", "ledger")
TOP_LEVEL = {"pyproject.toml", "README.md", "Makefile", "bench", "tests", *PACKAGES}
NAMES_THAT_OWN_NOTHING = {"utils", "helpers", "common", "base", "core", "manager"}
MODULE_LINES_MAX = 400

PACKAGE_MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)
BENCH_MODULES = sorted((ROOT / "bench").rglob("*.py"))
TEST_MODULES = sorted((ROOT / "tests").rglob("*.py"))


def _path_from_root(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_keep_their_contracts() -> None:
    status = lint_imports(
        config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True
    )

    assert status == 0, "a contract is broken; see the captured output"


@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="not a git checkout, so nothing is tracked"
)
def test_top_level_holds_what_the_design_names() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout

    tracked = {Path(name).parts[0] for name in listing.split("\0") if name}

    assert {name for name in tracked if not name.startswith(".")} == TOP_LEVEL


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize(
    "path", PACKAGE_MODULES + BENCH_MODULES + TEST_MODULES, ids=_path_from_root
)
def test_module_is_short_and_named_for_what_it_owns(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    # A test module is a list: length says nothing of what it owns.
    assert path in TEST_MODULES or len(lines) < MODULE_LINES_MAX
    assert path.stem not in NAMES_THAT_OWN_NOTHING


@pytest.mark.parametrize("path", PACKAGE_MODULES + BENCH_MODULES, ids=_path_from_root)
def test_module_says_what_it_owns(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"))

    assert ast.get_docstring(module)


def test_public_names_are_listed_once() -> None:
    assert len(metering.__all__) == len(set(metering.__all__))


@pytest.mark.parametrize("name", metering.__all__)
def test_public_name_is_ours_and_documented(name: str) -> None:
    exported = getattr(metering, name)

    assert exported.__module__.partition(".")[0] in PACKAGES
    assert exported.__doc__
    # What a dataclass without a docstring is given is its signature.
    assert not exported.__doc__.startswith(f"{name}(")
