"""Making reports in the background, beside the rounds of a worker."""

import threading
from collections.abc import Callable

from ledger.background import BackgroundLoop
from ledger.errors import StoreClosedError, StoreForkedError
from metering.reporting.real_time import real_time
from metering.store.engine import Engine
from projections.reports.queries import ReportQueries


class BackgroundReports:
    """Makes pending reports and removes expired files, in a thread of its own.

    A report may take minutes, for which no delivery waits.

    Args:
        engine: of the store.
        loop: is told what fails, and says when to try again.
        is_stopping: whether to leave the rest to others.
    """

    def __init__(
        self, engine: Engine, loop: BackgroundLoop, is_stopping: Callable[[], bool]
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._is_stopping = is_stopping
        self._thread: threading.Thread | None = None

    def start_due(self) -> None:
        """Start the thread, where there is something to do and none is at work.

        Raises:
            StoreClosedError, StoreForkedError: there is nothing to work on any more.
        """
        is_at_work = self._thread is not None and self._thread.is_alive()
        if not is_at_work and not self._loop.must_wait and self._is_due():
            self._thread = threading.Thread(
                target=self._run, name="metering-reports", daemon=True
            )
            self._thread.start()

    def _is_due(self) -> bool:
        try:
            with self._engine.log.read() as connection:
                seen = ReportQueries(connection)
                now = real_time(self._engine, seen)
                return bool(seen.pending(1) or seen.expired(now, 1))
        except (StoreClosedError, StoreForkedError):
            raise
        except Exception as error:  # noqa: BLE001  # as of a step of a round, which logs it
            self._loop.failed(error)
            return False

    def join(self) -> None:
        """Wait until the thread has ended, which gives up what it is making."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        from metering.reporting.making import make_pending, remove_expired

        try:
            remove_expired(self._engine)
            make_pending(self._engine, is_wanted=lambda: not self._is_stopping())
        except (StoreClosedError, StoreForkedError):
            # The worker ends of itself.
            return
        except Exception as error:  # noqa: BLE001  # the top of the loop, which logs it
            self._loop.failed(error)
        else:
            self._loop.succeeded()
