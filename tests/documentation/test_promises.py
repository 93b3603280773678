"""Every promise names tests that exist, by their ids."""

import re

from tests.documentation.pages import ROOT

_PAGE = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")


def test_every_test_that_a_promise_names_exists() -> None:
    named = re.findall(r"`(tests/[^`:]+)::([^`]+)`", _PAGE)

    assert named
    for path, function in named:
        assert f"def {function}(" in (ROOT / path).read_text("utf-8"), function


def test_files_that_the_page_names_exist() -> None:
    for name in re.findall(r"`(tests/[^`:]+)`", _PAGE):
        assert (ROOT / name).exists(), name
