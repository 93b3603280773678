"""Lanes: one for each endpoint, in which deliveries go one behind the other.

Whoever is to deliver claims the endpoint first, for a while that outlasts an attempt, so
that no two processes deliver to it at once and first attempts keep the order of the log.
A lane ends with the first attempt that fails: an endpoint that stalls takes a thread for
one attempt and not for all, and does not hold others up. That a delivery is done is
written once the receiver has said so: a process that dies in between makes the same
attempt again.
"""

import secrets
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import msgspec

from ledger.facts.webhooks import EndpointStatus
from ledger.records.outbox import Attempt, Delivery, DeliveryState, Outbox
from metering.store.engine import Engine
from metering.webhooks.endpoints import as_it_is
from metering.webhooks.retention import Retention
from metering.webhooks.schedule import next_attempt
from metering.webhooks.sending import Answer, Sender
from metering.webhooks.signatures import signed_headers
from projections.kernels.endpoints import Endpoint
from projections.webhooks.queries import EndpointQueries

LANES = 16
_GONE = 410
_SECOND = 1_000_000
_SECONDS_TO_SPARE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many attempts were made."""

    delivered: int = 0
    failed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Count both."""
        return Tally(
            delivered=self.delivered + other.delivered,
            failed=self.failed + other.failed,
        )


class Lanes:
    """Delivers what is due, in threads; a context manager that waits for them.

    Args:
        engine: whose deliveries.
        sender: makes the attempts.
        is_stopping: whether to make no further attempt.
    """

    def __init__(
        self,
        engine: Engine,
        sender: Sender,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = engine
        self._sender = sender
        self._is_stopping = is_stopping
        self._claimant = secrets.token_hex(8)
        self._pool = ThreadPoolExecutor(LANES, thread_name_prefix="metering-webhooks")
        self._busy: dict[str, Future[Tally]] = {}
        self._retention = Retention(engine)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the attempts that are being made."""
        self._pool.shutdown(wait=True)

    def start_due(self) -> Tally:
        """Start a lane for each endpoint to which something is due.

        Returns:
            What the lanes came to that have ended since the last call.

        Raises:
            StoreError: the store cannot be used; nothing is lost.
        """
        ended = self.ended()
        with self._engine.log.read() as connection:
            due = Outbox(connection).due_endpoints(self._engine.now())
            endpoints = EndpointQueries(connection).all_endpoints() if due else ()
        enabled = {each.endpoint_id for each in endpoints if each.is_enabled}
        for endpoint_id in due:
            is_free = endpoint_id in enabled and endpoint_id not in self._busy
            if is_free and not self._is_stopping():
                lane = self._pool.submit(self._run, endpoint_id)
                self._busy[endpoint_id] = lane
        self._retention.keep_up()
        return ended

    def deliver_all(self) -> Tally:
        """Make every attempt that is due, and wait for it."""
        tally = self.start_due()
        while self._busy:
            wait(self._busy.values(), return_when=FIRST_COMPLETED)
            tally += self.start_due()
        return tally

    @property
    def are_busy(self) -> bool:
        """Whether there is a lane whose end was not counted yet."""
        return bool(self._busy)

    def ended(self) -> Tally:
        """Tell what the lanes came to that have ended since the last call."""
        tally = Tally()
        for endpoint_id, lane in list(self._busy.items()):
            if lane.done():
                del self._busy[endpoint_id]
                tally += lane.result()
        return tally

    # In a thread of the pool.

    def _run(self, endpoint_id: str) -> Tally:
        tally = Tally()
        if self._is_stopping() or not self._claim(endpoint_id):
            return tally
        try:
            while not self._is_stopping():
                job = self._next(endpoint_id)
                if job is None:
                    break
                answer = self._attempt(job)
                is_ours = self._finish(job, answer)
                if not answer.is_delivered:
                    return tally + Tally(failed=1)
                tally += Tally(delivered=1)
                if not is_ours:
                    break
        finally:
            self._release(endpoint_id)
        return tally

    def _claim(self, endpoint_id: str) -> bool:
        with self._engine.writing() as writing:
            now, until = writing.now, writing.now + self._lease()
            outbox = Outbox(writing.connection)
            return outbox.claim(endpoint_id, self._claimant, now, until)

    def _release(self, endpoint_id: str) -> None:
        with self._engine.writing() as writing:
            Outbox(writing.connection).release(endpoint_id, self._claimant)

    def _lease(self) -> int:
        seconds = self._sender.longest_seconds + _SECONDS_TO_SPARE
        return round(seconds * _SECOND)

    def _next(self, endpoint_id: str) -> "_Job | None":
        now = self._engine.now()
        with self._engine.log.read() as connection:
            endpoint = EndpointQueries(connection).endpoint(endpoint_id)
            if endpoint is None or not endpoint.is_enabled:
                return None
            outbox = Outbox(connection)
            delivery = outbox.next_due(endpoint_id, now)
            if delivery is None:
                return None
            return _Job(
                endpoint=endpoint,
                delivery=delivery,
                secrets=tuple(outbox.secrets(endpoint_id, now)),
                body=outbox.body(delivery.event_id),
                now=now,
            )

    def _attempt(self, job: "_Job") -> Answer:
        headers = signed_headers(
            job.endpoint.signature,
            secrets=job.secrets,
            event_id=job.delivery.event_id,
            seconds=job.now // _SECOND,
            body=job.body,
        )
        return self._sender.send(job.endpoint.url, headers, job.body)

    def _finish(self, job: "_Job", answer: Answer) -> bool:
        """Write how an attempt went, and tell whether the endpoint is still ours."""
        attempt = Attempt(
            endpoint_id=job.endpoint.endpoint_id,
            event_id=job.delivery.event_id,
            attempt=job.delivery.attempts + 1,
            attempted_at=job.now,
            duration_ms=answer.duration_ms,
            status_code=answer.status_code,
            error=answer.error,
        )

        with self._engine.writing() as writing:
            outbox, now = Outbox(writing.connection), writing.now
            outbox.record(attempt, _moved_on(job.delivery, answer, now))
            until = now + self._lease()
            is_ours = outbox.extend(attempt.endpoint_id, self._claimant, until)
            if answer.status_code == _GONE:
                endpoint = EndpointQueries(outbox.connection).endpoint(
                    attempt.endpoint_id
                )
                if endpoint is not None and endpoint.is_enabled:
                    status = EndpointStatus.DISABLED
                    gone = msgspec.structs.replace(as_it_is(endpoint), status=status)
                    writing.record([gone])
        return is_ours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A delivery to attempt, with all that it takes."""

    endpoint: Endpoint
    delivery: Delivery
    secrets: tuple[str, ...] = field(repr=False)
    body: bytes
    now: int


def _moved_on(delivery: Delivery, answer: Answer, now: int) -> Delivery:
    """Tell where a delivery is after another attempt."""
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
