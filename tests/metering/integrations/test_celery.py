"""A real worker of Celery: its processes are forked, killed and ended under load."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery

from tests.metering.integrations.backends import (
    EXAMPLES,
    Backend,
    assert_once,
    environment_of,
    recorded,
)
from tests.metering.integrations.celery_files import use_files
from tests.profiles import PROFILE
from tests.waiting import eventually

WORKER = "tests.metering.integrations.celery_worker"
POOLS = ["prefork", "threads", "solo"] if PROFILE.is_thorough else ["prefork"]
TASK = f"{EXAMPLES}.celery_backend.complete"


class Tasks:
    """The tasks that a test sends, and those that a worker has acknowledged."""

    def __init__(self, directory: Path) -> None:
        self._app = Celery("sender")
        use_files(self._app, directory)
        self._results = directory / "results"

    def send(self, first: int, count: int) -> list[str]:
        """Send tasks by their numbers, and return their ids."""
        ids = [f"task-{number}" for number in range(first, first + count)]
        for each in ids:
            self._app.send_task(TASK, ["cus_1", 250], task_id=each)
        return ids

    def acknowledged(self) -> list[str]:
        """The ids of those that have ended with success."""
        found = []
        for path in self._results.iterdir():
            # One that is being written, or was when the worker was killed, is no answer;
            # while it is written it has another name, which may be gone by now.
            with suppress(ValueError, FileNotFoundError):
                result = json.loads(path.read_bytes())
                if result["status"] == "SUCCESS":
                    found.append(result["task_id"])
        return found


def working(target: str, directory: Path, pool: str) -> Backend:
    options = ("worker", f"--pool={pool}", "-c", "2", "--loglevel", "error")
    return Backend(
        *("-m", "celery", "-A", WORKER, *options, "--without-mingle"),
        *("--without-gossip", "--without-heartbeat"),
        environment={**environment_of(target), "BROKER": str(directory)},
    )


@pytest.mark.slow
@pytest.mark.parametrize("pool", POOLS)
def test_what_a_worker_acknowledged_is_there_once(
    pool: str, store_target: str, tmp_path: Path
) -> None:
    tasks = Tasks(tmp_path)
    sent = tasks.send(0, 40)

    with working(store_target, tmp_path, pool) as killed:
        eventually(lambda: len(tasks.acknowledged()) >= 10)
        killed.kill()
    # Delivered again, whether they are done or were lost with the processes.
    tasks.send(0, 40)
    with working(store_target, tmp_path, pool) as ended:
        eventually(lambda: set(tasks.acknowledged()) == set(sent))
        sent += tasks.send(40, 40)
        eventually(lambda: len(tasks.acknowledged()) >= 50)
        ended.terminate()

    found = recorded(store_target, "tokens")
    assert_once(found, tasks.acknowledged())
    assert found.keys() <= set(sent)
