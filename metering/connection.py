"""The facade: one connection to one store, with everything that can be done to it."""

from datetime import timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from ledger.database.addresses import open_database
from ledger.log import Log
from metering.adjustments import MeterEventAdjustments
from metering.clock import Clock, SystemClock
from metering.engine import Engine, Settings
from metering.events import MeterEvents
from metering.ids import RandomIds
from metering.meters import Meters
from metering.verification import StepCallback, VerifyReport, verify
from projections.catalog import Catalog
from projections.summaries import Summaries
from projections.tables import FactTables
from projections.tail import Tail


def connect(
    target: str | PathLike[str],
    *,
    create: bool = True,
    clock: Clock | None = None,
    livemode: bool = False,
    identifier_retention: timedelta | None = None,
    cancel_window: timedelta | None = None,
) -> "Metering":
    """Open a store, creating it where it is absent.

    Args:
        target: a directory, for a store embedded in this application; the URL of a
            PostgreSQL database, for one that several machines write to; or
            ``:memory:``, for one that is gone when it is closed.
        create: whether to make the store where it is absent.
        clock: tells the time; the system's by default.
        livemode: what resources say of themselves.
        identifier_retention: after how long an identifier may be used for another
            event; None is never.
        cancel_window: how long after its recording an event can be cancelled; None is
            for ever.

    Raises:
        StoreUnavailableError: the store cannot be opened.
        StoreMissingError: there is none, and it was not to be made.
        StoreVersionError: it was written by a later release.
    """
    return Metering(
        target,
        create=create,
        clock=clock or SystemClock(),
        settings=Settings(livemode=livemode, cancel_window=cancel_window),
        identifier_retention=identifier_retention,
    )


class Metering:
    """A connection to a store. Thread-safe; not to be used across a fork.

    Attributes:
        meters: create, update, retrieve, list, deactivate, reactivate, summaries.
        meter_events: create, ingest, list.
        meter_event_adjustments: create.
    """

    def __init__(
        self,
        target: str | PathLike[str],
        *,
        create: bool,
        clock: Clock,
        settings: Settings,
        identifier_retention: timedelta | None,
    ) -> None:
        ids, tail, catalog = RandomIds(), Tail(), Catalog()
        address = target if isinstance(target, str) else Path(target)
        database = open_database(address, creates=create)
        log = Log(
            database,
            fold=FactTables(),
            followers=[tail],
            epoch=ids.epoch() if create else None,
            identifier_retention=identifier_retention,
        )
        self._engine = Engine(
            log=log,
            tail=tail,
            catalog=catalog,
            summaries=Summaries(tail, log.commits_at),
            clock=clock,
            ids=ids,
            settings=settings,
        )
        self.meters = Meters(self._engine)
        self.meter_events = MeterEvents(self._engine)
        self.meter_event_adjustments = MeterEventAdjustments(self._engine)

    @property
    def position(self) -> int:
        """Position of the last entry that any process has recorded."""
        return self._engine.log.head().position

    def catch_up(self) -> int:
        """Take in what other processes recorded, and say up to which position.

        Every answer does so by itself; doing it ahead makes the next one quick.
        """
        return self._engine.log.catch_up().position

    def rebuild(self, progress: StepCallback | None = None) -> None:
        """Make every projection anew from the log; answers stay as they were.

        Args:
            progress: is called with the position reached and the last one.
        """
        self._engine.log.rebuild(progress)
        self._engine.catalog.forget()

    def verify(self, progress: StepCallback | None = None) -> VerifyReport:
        """Check the log and every projection against it, from the first entry on.

        Args:
            progress: is called with the position reached and the last one.
        """
        return verify(self._engine, progress)

    def close(self) -> None:
        """Let go of the store; using the connection afterwards is an error."""
        self._engine.log.close()

    def __enter__(self) -> Self:
        """Use the connection in a with statement, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the store."""
        self.close()
