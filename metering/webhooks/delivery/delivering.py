"""Delivering: a lane for each endpoint, which sends one delivery after the other.

A lane first leases its endpoint for longer than an attempt takes. So no two processes
deliver to an endpoint at once, and first attempts keep the order of the log. The
database transaction that records an attempt renews the lease and reads what is next: a
lane of n deliveries costs n + 1 write transactions. A lane ends with the first attempt
that fails, so an endpoint that stalls occupies a thread for one attempt and delays no
other. An attempt that was answered but not recorded, because its process died, is made
again.
"""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from secrets import token_hex
from time import monotonic

import msgspec

from ledger.background import BackgroundLoop, BackgroundLoops, Backoff
from ledger.errors import SecretError
from ledger.facts.webhooks import EndpointStatus
from ledger.records.deliveries import (
    Deliveries,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
)
from ledger.records.outbox import Outbox
from ledger.records.signing_secrets import SigningSecrets
from metering.store.engine import Engine
from metering.webhooks.delivery.retry_schedule import KEPT, next_attempt
from metering.webhooks.delivery.sending import EndpointAnswer, Sender, sender_of
from metering.webhooks.endpoints import as_it_is
from metering.webhooks.enqueueing import enqueue_all
from metering.webhooks.resources import DeliveryReceipt
from metering.webhooks.signatures import signed_headers
from projections.kernels.endpoints import Endpoint
from projections.webhooks.queries import EndpointQueries

LANES = 16
_GONE = 410
_SECOND = 1_000_000
_FORGOTTEN_AT_A_TIME = 1_000
_BACKOFF = Backoff(first_seconds=0.1, longest_seconds=30.0)
_SECONDS_BETWEEN_LOOKS = 600.0

_logger = logging.getLogger(__name__)


def deliver(engine: Engine) -> DeliveryReceipt:
    """Send what is due to webhook endpoints; see `Metering.deliver`."""
    engine.evaluator.evaluate()
    enqueued = enqueue_all(engine)
    with Lanes(engine, sender_of(engine.settings)) as lanes:
        tally = lanes.deliver_all()
    if lanes.failure is not None:
        raise lanes.failure
    return DeliveryReceipt(
        enqueued=enqueued, delivered=tally.delivered, failed=tally.failed
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many attempts succeeded and failed."""

    delivered: int = 0
    failed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum of both."""
        return Tally(
            delivered=self.delivered + other.delivered,
            failed=self.failed + other.failed,
        )


class Lanes(AbstractContextManager["Lanes"]):
    """Delivers what is due, in threads; as a context manager, waits for them.

    Args:
        engine: of the store.
        sender: makes the attempts.
        is_stopping: whether to make no further attempt.
        background: is told of lanes that fail, each of which is begun again after a
            while; None where `failure` is enough.
    """

    def __init__(
        self,
        engine: Engine,
        sender: Sender,
        is_stopping: Callable[[], bool] = lambda: False,
        background: BackgroundLoops | None = None,
    ) -> None:
        self._background = background or BackgroundLoops()
        self._failing: dict[str, BackgroundLoop] = {}
        self._engine = engine
        self._sender = sender
        self._is_stopping = is_stopping
        self._holder = token_hex(8)
        self._pool = ThreadPoolExecutor(LANES, thread_name_prefix="metering-webhooks")
        self._busy: dict[str, Future[_Ended]] = {}
        self._next_look = monotonic()

    def __exit__(self, *_: object) -> None:
        """Wait for the attempts that are being made."""
        self._pool.shutdown(wait=True)

    def start_due(self) -> Tally:
        """Start a lane for each endpoint to which something is due; none in a branch.

        Returns:
            The attempts of the lanes that have ended since the last call.

        Raises:
            StoreError: the store cannot be used; nothing is lost.
        """
        ended = self.ended()
        if self._engine.log.lineage.is_rehearsal:
            return ended
        with self._engine.log.read() as connection:
            now = self._engine.log.judge.real_time(connection, self._engine.now())
            due = Outbox(connection).due_endpoints(now, self._holder)
            endpoints = EndpointQueries(connection).all_endpoints() if due else ()
        enabled = {each.endpoint_id for each in endpoints if each.is_enabled}
        waiting = {
            each: is_unleased for each, is_unleased in due.items() if each in enabled
        }
        # The endpoint is gone, or another process has delivered.
        for endpoint_id in self._failing.keys() - waiting.keys() - self._busy.keys():
            self._forget_failure(endpoint_id)
        for endpoint_id, is_unleased in waiting.items():
            is_free = is_unleased and endpoint_id not in self._busy
            if is_free and not self._is_stopping() and not self._must_wait(endpoint_id):
                lane = self._pool.submit(self._run, endpoint_id)
                self._busy[endpoint_id] = lane
        self._forget()
        return ended

    def deliver_all(self) -> Tally:
        """Make every attempt that is due, and wait for the last one."""
        tally = self.start_due()
        while self._busy:
            wait(self._busy.values(), return_when=FIRST_COMPLETED)
            tally += self.start_due()
        return tally

    @property
    def are_busy(self) -> bool:
        """Whether there is a lane that `ended` has not counted yet."""
        return bool(self._busy)

    def ended(self) -> Tally:
        """Return the attempts of the lanes that have ended since the last call."""
        tally = Tally()
        for endpoint_id, lane in list(self._busy.items()):
            if not lane.done():
                continue
            del self._busy[endpoint_id]
            try:
                end = lane.result()
            except Exception as error:  # noqa: BLE001  # the top of the lane, which logs it
                self._note(endpoint_id, error)
                continue
            tally += end.tally
            if end.hindrance is None:
                self._forget_failure(endpoint_id)
            else:
                self._note(endpoint_id, end.hindrance)
        return tally

    @property
    def failure(self) -> Exception | None:
        """Why a lane failed that was not begun again since; None where none did."""
        return next((each.error for each in self._failing.values()), None)

    def _note(self, endpoint_id: str, error: Exception) -> None:
        """Note that a lane failed; those to other endpoints go on."""
        if endpoint_id not in self._failing:
            self._failing[endpoint_id] = self._background.begin(
                "deliveries",
                _BACKOFF,
                complain=f"Deliveries wait, those to {endpoint_id}",
                logger=_logger,
            )
        self._failing[endpoint_id].failed(error)

    def _must_wait(self, endpoint_id: str) -> bool:
        failing = self._failing.get(endpoint_id)
        return failing is not None and failing.must_wait

    def forget_failures(self) -> None:
        """Forget which lanes failed; called when none is to be begun again."""
        for endpoint_id in list(self._failing):
            self._forget_failure(endpoint_id)

    def _forget_failure(self, endpoint_id: str) -> None:
        failing = self._failing.pop(endpoint_id, None)
        if failing is not None:
            self._background.end(failing)

    def _forget(self) -> None:
        """Delete some of what was sent more than 30 days ago, now and then."""
        if monotonic() < self._next_look:
            return
        count, log = 0, self._engine.log
        with log.read() as connection:
            before = log.judge.real_time(connection, self._engine.now()) - KEPT
            is_any = bool(Outbox(connection).forgettable(before, 1))
        if is_any:
            with self._engine.outbox() as (outbox, _):
                count = outbox.forget(before, _FORGOTTEN_AT_A_TIME)
        if count < _FORGOTTEN_AT_A_TIME:
            self._next_look = monotonic() + _SECONDS_BETWEEN_LOOKS

    # In a thread of the pool.

    def _run(self, endpoint_id: str) -> "_Ended":
        tally = Tally()
        job = None if self._is_stopping() else self._first(endpoint_id)
        while isinstance(job, _Job):
            answer = self._attempt(job)
            tally += Tally(
                delivered=int(answer.is_delivered), failed=int(not answer.is_delivered)
            )
            job = self._finish(job, answer)
        return _Ended(tally=tally, hindrance=job)

    def _first(self, endpoint_id: str) -> "_Job | SecretError | None":
        """Lease an endpoint, and return what to send first; None where it is taken."""
        with self._engine.outbox() as (outbox, now):
            if not outbox.lease(endpoint_id, self._holder, now, self._lease_end(now)):
                return None
            return self._next(outbox, endpoint_id, now)

    def _finish(
        self, job: "_Job", answer: EndpointAnswer
    ) -> "_Job | SecretError | None":
        """Record an attempt, and return what to send next; None ends the lane."""
        if answer.status_code != _GONE:
            with self._engine.outbox() as (outbox, now):
                return self._recorded(outbox, job, answer, now)
        with self._engine.writing() as writing:
            endpoint_id = job.endpoint.endpoint_id
            endpoint = EndpointQueries(writing.connection).endpoint(endpoint_id)
            if endpoint is not None and endpoint.is_enabled:
                status = EndpointStatus.DISABLED
                gone = msgspec.structs.replace(as_it_is(endpoint), status=status)
                writing.record([gone])
            outbox = Outbox(writing.connection)
            return self._recorded(outbox, job, answer, writing.real_now)

    def _recorded(
        self, outbox: Outbox, job: "_Job", answer: EndpointAnswer, now: int
    ) -> "_Job | SecretError | None":
        endpoint_id, delivery = job.endpoint.endpoint_id, job.delivery
        is_ours = outbox.renew(endpoint_id, self._holder, self._lease_end(now))
        attempt = DeliveryAttempt(
            endpoint_id=endpoint_id,
            event_id=delivery.event_id,
            attempt=delivery.attempts + 1,
            attempted_at=job.now,
            duration_ms=answer.duration_ms,
            status_code=answer.status_code,
            error=answer.error,
        )
        moved_on = _moved_on(delivery, answer, now)
        Deliveries(outbox.connection).record(attempt, moved_on)
        if is_ours and answer.is_delivered:
            return self._next(outbox, endpoint_id, now)
        outbox.release(endpoint_id, self._holder)
        return None

    def _next(
        self, outbox: Outbox, endpoint_id: str, now: int
    ) -> "_Job | SecretError | None":
        """Return what to send next, or what hinders it; else give the lease back."""
        endpoint = EndpointQueries(outbox.connection).endpoint(endpoint_id)
        delivery, deliveries = None, Deliveries(outbox.connection)
        if endpoint is not None and endpoint.is_enabled and not self._is_stopping():
            delivery = deliveries.next_due(endpoint_id, now)
        if endpoint is None or delivery is None:
            outbox.release(endpoint_id, self._holder)
            return None
        keys = self._engine.settings.secret_keys
        try:
            secrets = SigningSecrets(outbox.connection, endpoint_id, keys).current(now)
        except SecretError as error:
            # Not raised: the attempt before is recorded in this database transaction.
            outbox.release(endpoint_id, self._holder)
            return error
        return _Job(
            endpoint=endpoint,
            delivery=delivery,
            secrets=tuple(secrets),
            body=deliveries.body(delivery.event_id),
            now=now,
        )

    def _lease_end(self, now: int) -> int:
        return now + round(self._sender.lease_seconds * _SECOND)

    def _attempt(self, job: "_Job") -> EndpointAnswer:
        headers = signed_headers(
            job.endpoint.signature,
            secrets=job.secrets,
            event_id=job.delivery.event_id,
            seconds=job.now // _SECOND,
            body=job.body,
        )
        return self._sender.send(job.endpoint.url, headers, job.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """A lane that has ended.

    Attributes:
        tally: of its attempts.
        hindrance: why what is next cannot be sent; None where nothing hinders it.
    """

    tally: Tally
    hindrance: SecretError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A delivery, with all that an attempt needs.

    Attributes:
        now: when it was read, which is the time of the attempt.
    """

    endpoint: Endpoint
    delivery: Delivery
    secrets: tuple[str, ...] = field(repr=False)
    body: bytes
    now: int


def _moved_on(delivery: Delivery, answer: EndpointAnswer, now: int) -> Delivery:
    """Return a delivery as it is after another attempt."""
    attempts = delivery.attempts + 1
    if answer.is_delivered:
        return replace(
            delivery,
            state=DeliveryState.DELIVERED,
            attempts=attempts,
            delivered_at=now,
        )
    at = next_attempt(
        attempts=attempts,
        now=now,
        enqueued_at=delivery.enqueued_at,
        key=f"{delivery.endpoint_id} {delivery.event_id}",
    )
    if at is None:
        return replace(delivery, state=DeliveryState.FAILED, attempts=attempts)
    return replace(delivery, attempts=attempts, next_attempt_at=at)
