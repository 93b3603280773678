"""Sessions: tokens that open a server's stream of meter events, and nothing else.

A token is a code of the session's id under a secret of 256 random bits: that of the API key,
or one that is forgotten. Only the token's SHA-256 is stored. It opens the stream for 15
minutes, unless the API key that made it is revoked, in every process that serves the
store. Source: https://docs.stripe.com/api/v2/billing/meter-event-session
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from ledger.errors import RequestRepeatedError
from ledger.records.keys import StoredKeys
from ledger.records.requests import Requests
from ledger.records.sessions import StoredSession, StoredSessions
from metering.access.api_keys import digest_of
from metering.arguments.clock import MICROSECOND, at_microseconds
from metering.arguments.strings import check_word
from metering.bodies import ResourceObject
from metering.store.engine import REQUEST, Engine

LIFE = timedelta(minutes=15)
_SECRET_BYTES = 32


class MeterEventSession(ResourceObject, frozen=True, kw_only=True):
    """A session of the stream.

    Attributes:
        authentication_token: None but where the session is created.
        key_id: of the API key that made it.
        is_expired: whether it no longer opens the stream.
    """

    hidden: ClassVar = frozenset({"authentication_token"})

    id: str
    authentication_token: str | None = None
    created: datetime
    expires_at: datetime
    livemode: bool
    key_id: str
    is_expired: bool = False


class MeterEventSessions:
    """The sessions of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, *, key_id: str) -> MeterEventSession:
        """Create a session.

        Args:
            key_id: of the API key that asks for it.

        Returns:
            The session with its token, which no other call returns.

        Raises:
            InvalidRequestError: the id is no string that can be stored.
        """
        return create_session(self._engine, key_id, secrets.token_hex(_SECRET_BYTES))


def create_session(engine: Engine, key_id: str, secret: str) -> MeterEventSession:
    """Create a session whose token follows from its id and a secret.

    It is written down together with the request on whose behalf this thread creates it.
    Whoever has the secret makes the token again for a repetition, so it need not be kept.

    Raises:
        InvalidRequestError: the id is no string that can be stored.
        RequestRepeatedError: the request made a session already.
    """
    maker = check_word(key_id, "key_id")
    mode = "live" if engine.settings.livemode else "test"
    session_id = engine.ids.resource(f"mes_{mode}")
    token, request = derived_token(session_id, secret), REQUEST.get()
    with engine.writing() as writing:
        now = writing.real_now
        if request is not None:
            requests = Requests(writing.connection)
            if not requests.claim([request], now, made=session_id):
                raise RequestRepeatedError(request.idempotency_key)
        stored = StoredSession(
            session_id=session_id,
            key_id=maker,
            livemode=engine.settings.livemode,
            digest=digest_of(token),
            created=now,
            expires_at=now + LIFE // MICROSECOND,
        )
        StoredSessions(writing.connection).add(stored)
    made = _resource(stored, now)
    return msgspec.structs.replace(made, authentication_token=token)


def derived_token(session_id: str, secret: str) -> str:
    """Return the token of a session that was created with a secret."""
    mode, _, _ = session_id.removeprefix("mes_").partition("_")
    code = hmac.digest(secret.encode(), session_id.encode(), "sha256")
    return f"mes_token_{mode}_{code.hex()}"


def sessions_by_digest(
    engine: Engine, digests: Sequence[bytes]
) -> Mapping[bytes, MeterEventSession]:
    """Return the sessions of a connection's mode by the SHA-256 of their tokens.

    Sessions of revoked API keys are left out.
    """
    clock, livemode = engine.now(), engine.settings.livemode
    with engine.log.read() as connection:
        now = engine.log.judge.real_time(connection, clock)
        found = StoredSessions(connection).with_digests(digests)
        keys = StoredKeys(connection).all() if found else []
    good = {each.key_id for each in keys if each.revoked_at is None}
    return {
        each.digest: _resource(each, now)
        for each in found
        if each.livemode is livemode and each.key_id in good
    }


def _resource(stored: StoredSession, now: int) -> MeterEventSession:
    return MeterEventSession(
        id=stored.session_id,
        created=at_microseconds(stored.created),
        expires_at=at_microseconds(stored.expires_at),
        livemode=stored.livemode,
        key_id=stored.key_id,
        # One that was made in the future was made by a clock that has been set right.
        is_expired=now >= stored.expires_at
        or now + LIFE // MICROSECOND < stored.created,
    )
