"""The rules of the house that a machine can see, beyond those of ruff and mypy."""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import metering

ROOT = Path(__file__).parent.parent
PACKAGES = ("metering", "projections", "ledger")
TOP_LEVEL = {"pyproject.toml", "README.md", "Makefile", "bench", "tests", *PACKAGES}
NAMES_THAT_OWN_NOTHING = {"utils", "helpers", "common", "base", "core", "manager"}
MODULE_LINES_MAX = 400
MODULES_SIDE_BY_SIDE_MAX = 16

PACKAGE_MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)
BENCH_MODULES = sorted((ROOT / "bench").rglob("*.py"))
TEST_MODULES = sorted((ROOT / "tests").rglob("*.py"))


def _path_from_root(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_keep_their_contracts() -> None:
    # Not in this process, where it would disable every logger that there is.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]

    finished = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert finished.returncode == 0, finished.stdout


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


def test_modules_are_short() -> None:
    lines = {
        _path_from_root(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE_MODULES + BENCH_MODULES
    }

    assert {at: n for at, n in lines.items() if n >= MODULE_LINES_MAX} == {}


def test_modules_are_named_for_what_they_own() -> None:
    modules = PACKAGE_MODULES + BENCH_MODULES + TEST_MODULES

    assert [path for path in modules if path.stem in NAMES_THAT_OWN_NOTHING] == []


def test_modules_say_what_they_own() -> None:
    silent = [
        path
        for path in PACKAGE_MODULES + BENCH_MODULES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_no_package_holds_more_modules_than_can_be_overlooked() -> None:
    held = Counter(
        _path_from_root(path.parent)
        for path in PACKAGE_MODULES + BENCH_MODULES + TEST_MODULES
        if path.name != "__init__.py"
    )

    crowded = {
        package: count
        for package, count in held.items()
        if count > MODULES_SIDE_BY_SIDE_MAX
    }

    assert crowded == {}


def test_a_type_name_means_one_thing() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in PACKAGE_MODULES:
        for name in _type_names(ast.parse(path.read_text(encoding="utf-8"))):
            places[name].append(_path_from_root(path))

    ambiguous = {name: at for name, at in places.items() if len(at) > 1}

    assert ambiguous == {}


def _type_names(module: ast.Module) -> Iterator[str]:
    """Find classes, aliases and type variables; private ones without underscore."""
    for statement in module.body:
        match statement:
            case ast.ClassDef(name=name):
                yield name.lstrip("_")
            case (
                ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
            ) if name.lstrip("_")[:1].isupper() and not name.isupper():
                yield name.lstrip("_")
            case _:
                pass


def test_public_names_are_listed_once() -> None:
    assert len(metering.__all__) == len(set(metering.__all__))


@pytest.mark.parametrize("name", sorted({*metering.__all__} - {"Time"}))
def test_public_name_is_ours_and_documented(name: str) -> None:
    exported = getattr(metering, name)

    assert exported.__module__.partition(".")[0] in PACKAGES
    assert exported.__doc__
    # What a dataclass without a docstring is given is its signature.
    assert not exported.__doc__.startswith(f"{name}(")
