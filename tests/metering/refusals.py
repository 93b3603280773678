"""Own how tests expect a refusal: its code, the parameter it names, what it says."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import metering


@contextmanager
def refused(
    code: str | None = None,
    param: str | None = None,
    *words: str,
    kind: type[metering.MeteringError] = metering.InvalidRequestError,
) -> Iterator[None]:
    """Expect an error of this kind; what is None may be anything."""
    with pytest.raises(kind) as refusal:
        yield
    error = refusal.value
    assert code in {None, error.code}, f"{error.code}: {error}"
    assert param in {None, error.param}, f"{error.param}: {error}"
    for each in words:
        assert each in error.message
