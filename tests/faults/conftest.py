"""Processes for the fault tests: warm ones, so that dozens can live and die quickly."""

from multiprocessing.context import ForkServerContext

import pytest

from tests.processes import warm_processes

pytest.register_assert_rewrite("tests.faults.usage", "tests.faults.credits")


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Starts processes that share nothing with this one."""
    return warm_processes()
