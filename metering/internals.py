"""Internals: what the server and `metering.aio` use of a connection; nothing is promised."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from ledger.records.signing_secrets import SigningSecrets
from metering.access.api_keys import ApiKey, keys_by_digest
from metering.access.idempotency import IdempotentRequests
from metering.arguments.words import UsageWindowName
from metering.comparing.rows import figures_of
from metering.errors import MeterEventInvalidError
from metering.meters.meters import value_key_of
from metering.store.engine import Engine
from metering.stream.error_reports import RefusedEvent, add_refused
from metering.stream.sessions import (
    MeterEventSession,
    create_session,
    sessions_by_digest,
)
from metering.usage.meter_events import (
    NewMeterEvent,
    Recorded,
    accept_events,
    record_events,
)
from metering.usage.stream_rules import StreamedEvent


class Internals:
    """Doors that only this distribution opens.

    Attributes:
        requests: those that came under an idempotency key.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.requests = IdempotentRequests(engine)

    def figures(
        self, window: UsageWindowName | None, timezone: str
    ) -> Iterator[pa.Table]:
        """Yield what the store says of every customer; see `figures_of`."""
        return figures_of(self._engine, window, timezone)

    def check_usable(self) -> None:
        """Check that the connection is open, and in the process that opened it.

        Raises:
            StoreError: it is not.
        """
        self._engine.log.check_usable()

    def keys_by_digest(self) -> Mapping[bytes, ApiKey]:
        """Return every API key of this mode by the SHA-256 of its secret."""
        return keys_by_digest(self._engine)

    def create_session(self, key_id: str, secret: str) -> MeterEventSession:
        """Create a session whose token follows from its id and the API key's secret."""
        return create_session(self._engine, key_id, secret)

    def sessions_by_digest(
        self, digests: Sequence[bytes]
    ) -> Mapping[bytes, MeterEventSession]:
        """Return sessions of this mode by the SHA-256 of their tokens."""
        return sessions_by_digest(self._engine, digests)

    def webhook_secret(self, endpoint_id: str, digest: bytes) -> str | None:
        """Return the secret of an endpoint by its SHA-256, None where it has none such."""
        keys = self._engine.settings.secret_keys
        with self._engine.log.read() as connection:
            return SigningSecrets(connection, endpoint_id, keys).with_digest(digest)

    def value_key(self, event_name: str) -> str | None:
        """Return the payload key of the value of a name's events, where it is a number."""
        return value_key_of(self._engine, event_name)

    def record_events(self, events: Sequence[NewMeterEvent]) -> Sequence[Recorded]:
        """Record events in one commit, each with an outcome of its own."""
        return record_events(self._engine, events)

    def accept_events(
        self, events: Sequence[StreamedEvent]
    ) -> Mapping[int, MeterEventInvalidError]:
        """Record events in one commit, and return why some were refused."""
        return accept_events(self._engine, events)

    def add_refused(self, refused: Sequence[RefusedEvent]) -> None:
        """Record refused events of the stream, to be reported."""
        add_refused(self._engine, refused)
