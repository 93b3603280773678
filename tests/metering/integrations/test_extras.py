"""A module for a framework that is not installed names the extra to install."""

import importlib
import sys

import pytest

from metering.integrations.extras import ExtraMissingError, needing


@pytest.mark.parametrize("name", ["celery", "django", "fastapi", "starlette"])
def test_a_missing_framework_is_named_with_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"metering.integrations.{name}"
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ExtraMissingError) as refusal:
        importlib.import_module(module)

    assert refusal.value.extra == name
    assert f"pip install 'metering-engine[{name}]'" in str(refusal.value)


def test_what_a_framework_lacks_is_for_it_to_say() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match="its_own_dependency"),
        needing("django"),
    ):
        importlib.import_module("its_own_dependency")
