"""Every promise names tests that exist, by their ids, and every test that counts has one."""

import re

from tests.documentation.pages import ROOT
from tests.documentation.promises import promised
from tests.figures import read_figures

_NAMED = {each for promise in promised() for each in promise.ids}
_COUNTING = re.compile(r"^def (test_\w+)\([^)]*\bfigures: Figures", re.MULTILINE)


def test_tests_that_promises_name_exist() -> None:
    assert _NAMED
    for named in _NAMED:
        path, _, function = named.partition("::")
        assert f"def {function}" in (ROOT / path).read_text("utf-8"), named


def test_every_test_that_counts_shows_a_promise() -> None:
    counting = {
        f"{path.relative_to(ROOT)}::{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in _COUNTING.findall(path.read_text("utf-8"))
    }

    assert counting - _NAMED == set()
    assert {each.test for each in read_figures().tests} <= counting
