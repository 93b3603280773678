"""Every promise names tests that exist."""

import re

from tests.documentation.pages import ROOT

PROMISES = ROOT / "tests" / "README.md"


def test_every_test_that_a_promise_names_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)`", PROMISES.read_text(encoding="utf-8"))

    assert named
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not function or f"def {function}(" in (ROOT / path).read_text(), name
