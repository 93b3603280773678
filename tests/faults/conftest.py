"""Processes for the fault tests: warm ones, so that dozens can live and die quickly."""

from multiprocessing.context import ForkServerContext

import pytest

from tests.processes import warm_processes
from tests.system_calls.interposer import NEEDED, library

pytest.register_assert_rewrite("tests.faults.usage", "tests.faults.credits")


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Starts processes that share nothing with this one."""
    return warm_processes()


@pytest.fixture(scope="session")
def interposed(processes: ForkServerContext) -> ForkServerContext:
    """Starts such processes whose system calls can be recorded, and made to fail."""
    if library() is None:
        pytest.skip(f"system calls cannot be watched here: that needs {NEEDED}")
    return processes
