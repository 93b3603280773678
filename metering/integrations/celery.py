"""Celery: a store is opened by each process of a worker, after it was forked.

A child of a worker ends without the interpreter's own ending, so the store is closed by
the signal that comes before. Source: https://docs.celeryq.dev/en/stable/userguide/signals.html
"""

from typing import Any

from metering.integrations.extras import needing
from metering.integrations.processes import ProcessStore

with needing("celery"):
    from celery import signals


def connect_workers(usage: ProcessStore) -> None:
    """Open a store in every process that runs tasks, and close it where one ends.

    Call it where the application of Celery is made. It serves every pool: children that
    are forked or spawned, threads, and the worker itself.
    """

    def opened(**_: Any) -> None:
        usage.open()

    def closed(**_: Any) -> None:
        usage.close()

    signals.worker_process_init.connect(opened, weak=False)
    signals.worker_process_shutdown.connect(closed, weak=False)
    # Where tasks run in the worker itself, it is this that ends.
    signals.worker_shutdown.connect(closed, weak=False)
