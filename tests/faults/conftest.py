"""Processes for the fault tests: warm ones, so that dozens can live and die quickly."""

import multiprocessing
from multiprocessing.context import ForkServerContext

import pytest

pytest.register_assert_rewrite("tests.faults.usage", "tests.faults.credits")


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Starts processes that share nothing with this one.

    They are forked from a server that has imported everything and opened nothing.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "pytest", "tests.faults.writing"])
    return context
