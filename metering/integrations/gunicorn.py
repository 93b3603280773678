"""gunicorn: a store is opened by each worker, after it was forked.

In ``gunicorn.conf.py``::

    from metering.integrations.gunicorn import closes, opens
    from shop import usage

    post_worker_init, worker_exit = opens(usage), closes(usage)

gunicorn itself is not imported. Source: https://docs.gunicorn.org/en/stable/settings.html
"""

from collections.abc import Callable
from typing import Any

from metering.integrations.processes import ProcessStore


def opens(usage: ProcessStore) -> Callable[[Any], None]:
    """Return the hook ``post_worker_init``, by which no request waits for the store.

    It comes after a worker was forked and has loaded its application.
    """

    def post_worker_init(_worker: Any) -> None:
        usage.open()

    return post_worker_init


def closes(usage: ProcessStore) -> Callable[[Any, Any], None]:
    """Return the hook ``worker_exit``, which makes durable what was recorded."""

    def worker_exit(_arbiter: Any, _worker: Any) -> None:
        usage.close()

    return worker_exit
