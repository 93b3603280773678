"""The facade: one connection to one store, with everything that can be done to it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

from metering.arguments.strings import check_path
from metering.arguments.times import duration
from metering.copies.calls import Copies
from metering.explaining.explaining import Explaining
from metering.groups import CallGroups
from metering.recording.limits import MAX_AGE, MAX_EVENTS
from metering.upkeep.auditing.pace import EVERY, LONGEST_EVERY, AuditPace
from metering.upkeep.polling import LONGEST_POLL, POLL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from os import PathLike
    from types import TracebackType

    import pyarrow as pa

    from ledger.sealing import StepCallback
    from metering.explaining.proof.checkpoints import Checkpoint
    from metering.recording.buffer import WhenFull
    from metering.recording.events import UnrecordedEvent
    from metering.recording.recorder import Recorder
    from metering.recording.recording import Recording
    from metering.store.settings import OpeningTerms
    from metering.upkeep.status import LoopStatus, StoreStatus, WorkReceipt
    from metering.upkeep.verification.report import VerifyReport
    from metering.upkeep.worker import Worker
    from metering.webhooks.resources import DeliveryReceipt


class Metering(CallGroups, Copies, Explaining):
    """A connection to a store. Thread-safe; refuses use after a fork.

    Attributes:
        meters: create, ensure, update, retrieve, list, deactivate, reactivate,
            summaries.
        meter_events: create, ingest, list.
        meter_event_adjustments, meter_event_sessions: create.
        corrections: preview, apply, revert, retrieve, list.
        products, prices: create, update, retrieve, list, search; products: delete.
        customers: create, update, retrieve, list, delete.
        subscriptions: create, update, cancel, pause, resume, retrieve, list.
        subscription_items: create, update, delete, retrieve, list, create_usage_record,
            list_usage_record_summaries.
        entitlements: check; features: create, update, retrieve, list; product_features:
            create, delete, retrieve, list; active_entitlements: retrieve, list.
        statements: preview, finalize, retrieve, list, void, drift, run, to_table.
        reports: types, retrieve_type, create, retrieve, list, make, open, download,
            retrieve_file, open_file.
        credit_grants: create, update, retrieve, list, expire, void.
        credit_holds: create, settle, settle_many, release, retrieve, list.
        spend_limits: create, update, cancel, retrieve, list.
        credit_schedules: create, update, pause, resume, cancel, retrieve, list.
        credit_pools: create, update, archive, retrieve, list, add_member, remove_member,
            retrieve_member, list_members, balance.
        credits: apply, apply_many, preview, preview_many, reinstate.
        credit_balance_summary: retrieve, history.
        credit_balance_transactions, events, error_reports: list, retrieve.
        alerts: create, retrieve, list, activate, deactivate, archive, triggered.
        test_clocks, also test_helpers.test_clocks: create, advance, delete, retrieve,
            list.
        webhook_endpoints: create, update, rotate_secret, encrypt_secrets, retrieve,
            list, delete, deliveries.
        api_keys: create, list, revoke; they open a server.
        audit: status, run.
        log_time: repair.
        internals: what the server of this distribution uses; it may change.
    """

    def __init__(self, opening: OpeningTerms) -> None:
        super().__init__(opening)
        self._engine.evaluator.burn_down = lambda: self._burn_down_watch
        self._recordings: WeakSet[Recording] = WeakSet()

    @property
    def position(self) -> int:
        """The position of the last entry that any process has recorded."""
        return self._engine.log.head().position

    def now(self) -> datetime:
        """Return the time by the clock of this connection."""
        return self._engine.clock.now()

    def status(self) -> StoreStatus:
        """Return how far the store is, what is still to be done, and what fails.

        It costs little.

        Raises:
            StoreError: the store cannot be asked.
        """
        from metering.upkeep.status import status_of

        return status_of(self._engine)

    def loops(self) -> tuple[LoopStatus, ...]:
        """Return how the background loops of this process are, by name.

        `status` has them too. This asks no store, and so answers when none can be.
        """
        from metering.upkeep.status import loops_of

        return loops_of(self._engine)

    def rate(
        self,
        *,
        usage: object,
        prices: Sequence[str] | None = None,
        currency: str | None = None,
    ) -> pa.Table:
        """Rate usage: what quantities cost, exactly, many lines at once.

        A line is rounded once, a half away from zero, to a whole minor unit. `up_to` of a
        tier is inclusive, and compared with fractions of quantities exactly. The flat
        amount of the first tier is due at quantity 0, as which a negative one is rated.

        Args:
            usage: an Arrow table or stream with a column `quantity`, or `value`, of
                integers or decimals, from one of the two: `price`, the id of a price, or
                `meter`, the id of a meter, as `usage` returns it. It may have a column
                `currency`.
            prices: ids of prices. Needed where the usage is by meter: a row has a line
                for each of them that is of its meter, and none if there is none.
            currency: which the prices have; None is each one's own.

        Returns:
            The columns of the usage, `price` and `currency` if it had none, and `amount`
            (int64, minor units), `is_negative` (whether a negative quantity was rated as
            0) and `tiers`: for each tier that was reached `up_to` (null in the last one),
            `quantity` and `amount`, which add up to the line's. Prices without tiers have
            none.

        Raises:
            ResourceMissingError: there is no such price.
            SourceError: the usage is no Arrow data, or lacks a column or a value.
            InvalidRequestError: an argument is malformed, a price is not in a currency,
                or a quantity or an amount has more than 18 digits.
        """
        from metering.rating.rating import rated

        return rated(self._engine, usage, prices, currency)

    def catch_up(self) -> int:
        """Take in what was recorded, evaluate alerts, and return the position reached.

        Every answer catches up by itself; called ahead, this makes the next one quick.
        """
        self._engine.evaluator.evaluate()
        return self._engine.log.catch_up().position

    def deliver(self) -> DeliveryReceipt:
        """Send to webhook endpoints every event that is due.

        Events are made first of what was recorded, of triggered alerts, of expired
        credits, and of what a stream refused. Each arrives at least once, with the same
        id and bytes; no two processes send the same one at a time. An endpoint's secret
        that cannot be read is a `SecretError`, raised when all others were sent to.
        """
        from metering.webhooks.delivery.delivering import deliver

        return deliver(self._engine)

    def worker(
        self,
        *,
        poll: timedelta = POLL,
        progress: Callable[[WorkReceipt], None] | None = None,
        audit: timedelta | None = EVERY,
        audit_files: bool = False,
    ) -> Worker:
        """Keep the store current for as long as a with statement lasts.

        Its threads evaluate alerts, deliver to webhook endpoints, seal and audit. Several
        workers may share a store: nothing is done twice. What fails is tried again, less
        and less often, and holds up nothing else; `status` says what. An error that does
        not pass by itself is raised where the with statement ends, if it has not.

        Args:
            poll: how often it looks for new records and due work, up to a second.
            progress: is called in its thread after each round that came to something.
            audit: how long after the end of a pass of `Metering.audit` the next begins, up
                to a year: a little at a time, mostly while nothing is recorded. None is
                never.
            audit_files: whether passes read the whole files of segments.

        Raises:
            InvalidRequestError: an argument is malformed.
        """
        from metering.upkeep.worker import Worker

        seconds = duration(poll, "poll", LONGEST_POLL).total_seconds()
        pace = None
        if audit is not None:
            every = duration(audit, "audit", LONGEST_EVERY)
            pace = AuditPace(every=every, files=audit_files)
        return Worker(self._engine, poll_seconds=seconds, progress=progress, audit=pace)

    def recorder(  # settings have names
        self,
        *,
        max_events: int = MAX_EVENTS,
        max_age: timedelta = MAX_AGE,
        when_full: WhenFull = "block",
        on_refused: Callable[[UnrecordedEvent], None] | None = None,
        spool: str | PathLike[str] | None = None,
        exits_on_sigterm: bool = True,
    ) -> Recorder:
        """Record events without waiting for the log, which gets many at a time.

        They are written by a thread: when half of `max_events` are held, when the oldest
        is `max_age` old, and at a flush, a close, or an exit of the process. A kill can
        lose those that are not written, `max_events` at most; with a spool, none.

        Args:
            max_events: how many may be held in memory, with those that are being written.
            max_age: how long an event is held, up to an hour, while the store is well.
            when_full: whether `Recorder.record` waits for room, or raises.
            on_refused: is called, in that thread, with each event that is refused.
            spool: a directory on this machine where events are held instead. Each is
                durable when `Recorder.record` returns. What a killed process left there is
                taken in by the next one that opens it, once.
            exits_on_sigterm: whether SIGTERM exits in order, where its default would end
                the process at once. A handler that the process has is left as it is. It
                must not call the recorder, whose lock the code that it interrupts may
                hold: let it raise SystemExit, or set a flag for the main thread.

        Raises:
            InvalidRequestError: an argument is malformed.
            StoreError: the store or the spool cannot be used.
        """
        from metering.recording.recorder import Recorder
        from metering.recording.recording import RecordingSettings, open_recording

        settings = RecordingSettings(
            max_events=max_events,
            max_age=max_age,
            when_full=when_full,
            on_refused=on_refused,
            exits_on_sigterm=exits_on_sigterm,
        )
        place = None if spool is None else check_path(spool, "spool")
        recording = open_recording(self._engine, settings, place)
        self._recordings.add(recording)
        return Recorder(recording)

    def seal(self, progress: StepCallback | None = None) -> int:
        """Move the usage recorded so far into segments, and return how many were put.

        Segments that lie in the database move to the segment store as well. Safe against
        a kill at any step, and while others append and read. Does nothing while another
        process seals. Alerts are evaluated first.

        Args:
            progress: is called with the position reached and the last one.

        Raises:
            SegmentStoreError: the segment store cannot be used; nothing has changed.
        """
        self._engine.evaluator.evaluate()
        return self._engine.log.seal(progress)

    def rebuild(self, progress: StepCallback | None = None) -> None:
        """Rebuild everything that follows from the log; answers stay the same.

        Args:
            progress: is called with the position reached and the last one.
        """
        from metering.upkeep.rebuilding import rebuild

        rebuild(self._engine, progress)

    def verify(
        self,
        progress: StepCallback | None = None,
        *,
        checkpoint: Checkpoint | None = None,
    ) -> VerifyReport:
        """Check the log and every projection against it, from the first entry on.

        Args:
            checkpoint: from an earlier report, kept elsewhere: the log must still
                lead there.
            progress: is called with the position reached and the last one.

        Raises:
            InvalidRequestError: the checkpoint is none.
        """
        from metering.upkeep.verification.verifying import verify

        return verify(self._engine, checkpoint, progress)

    def close(self) -> None:
        """Close the connection, after its recorders; using it afterwards is an error.

        Raises:
            EventsUnrecordedError: a recorder could not write what it held.
        """
        with ExitStack() as closing:  # All of it, in the reverse order.
            closing.callback(self._engine.log.close)
            closing.callback(self._engine.sealing.stop)
            for recording in list(self._recordings):
                closing.callback(recording.close)

    def __enter__(self) -> Self:
        """Use the connection in a with statement, which closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()
