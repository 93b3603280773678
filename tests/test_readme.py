"""The examples of README run as they stand there."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def examples(language: str) -> list[str]:
    """Find the fenced blocks of a language in README."""
    blocks: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE
    )
    return blocks


def test_the_python_examples_run_in_order_in_an_empty_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    for example in examples("python"):
        exec(compile(example, "README.md", "exec"), names)

    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"# prints (.*)$", README.read_text(), re.MULTILINE)
    assert promised
    assert printed == promised


def test_every_test_that_a_guarantee_names_exists() -> None:
    root = README.parent

    named = re.findall(r"`(tests/[^`]+)`", README.read_text())

    assert named
    for name in named:
        path, _, function = name.partition("::")
        assert (root / path).exists(), name
        assert not function or f"def {function}(" in (root / path).read_text(), name
