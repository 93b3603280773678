"""The examples of the pages run as they stand there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for folder in ("", "bench", "ledger", "metering", "projections", "tests")
    for path in ((ROOT / folder).rglob("README.md") if folder else [ROOT / "README.md"])
)
GUARANTEES = ROOT / "tests" / "README.md"


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def examples(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language in a page."""
    blocks: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return blocks


@pytest.mark.parametrize(
    "page", [page for page in PAGES if examples(page, "python")], ids=_name
)
def test_the_python_examples_run_in_order_in_an_empty_directory(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    for example in examples(page, "python"):
        exec(compile(example, _name(page), "exec"), names)

    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"# prints (.*)$", page.read_text(), re.MULTILINE)
    assert promised
    assert printed == promised


def test_every_test_that_a_guarantee_names_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)`", GUARANTEES.read_text())

    assert named
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not function or f"def {function}(" in (ROOT / path).read_text(), name
