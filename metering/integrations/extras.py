"""Extras: what a module says where the framework that it is for is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager


class ExtraMissingError(ImportError):
    """A framework is not installed.

    Attributes:
        extra: what installs it.
    """

    def __init__(self, extra: str) -> None:
        super().__init__(
            f"metering.integrations.{extra} needs {extra}, which is not installed; run"
            f" pip install 'metering-engine[{extra}]'"
        )
        self.extra = extra


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Import a framework in the with statement; an extra has its name.

    Raises:
        ExtraMissingError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # What an installed framework lacks is for that to say.
        if error.name is None or error.name.partition(".")[0] != extra:
            raise
        raise ExtraMissingError(extra) from error
