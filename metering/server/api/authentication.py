"""Authentication: which key or session a request carries, and whether it is allowed.

Nothing is remembered between two looks at the store, so a revoked key is refused at once
by every server.
"""

import base64
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

import metering
from metering.access.api_keys import ApiKey, digest_of
from metering.access.requests import ScopeName
from metering.connection import Metering
from metering.server.api.complaints import limit_complaints
from metering.server.api.errors import (
    NotAuthenticatedError,
    NotPermittedError,
    OtherAccountError,
    SessionExpiredError,
)
from metering.stream.sessions import MeterEventSession

_logger = limit_complaints(logging.getLogger(__name__))

_MISSING = (
    "You did not provide an API key. You need to provide your API key in the"
    " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
    " YOUR_SECRET_KEY')."
)
_NOT_OPENED = (
    "You did not provide an authentication token. Create a meter event session, and"
    " provide its token in the Authorization header, using Bearer auth."
)

_SESSIONS_SEEN_MAX = 10_000

Keys = Mapping[bytes, ApiKey | MeterEventSession] | metering.MeteringError
"""The keys or sessions that a look found, by the SHA-256 of their secrets; or why the
look failed."""


class Keyring:
    """The keys and sessions of a store. Thread-safe."""

    def __init__(self, m: Metering) -> None:
        self._m = m
        self._seen_keys: Collection[bytes] = ()
        self._seen_sessions: dict[bytes, None] = {}

    def look(self) -> Keys:
        """Return the keys, for the requests that came before the look."""
        keys = _looked_at(self._m.internals.keys_by_digest)
        if not isinstance(keys, metering.MeteringError):
            self._seen_keys = keys
        return keys

    def look_at_sessions(self, authorizations: Sequence[str | None]) -> Keys:
        """Return the sessions whose tokens some requests carry."""
        tokens = {_bearer(each) for each in authorizations}
        digests = [digest_of(token) for token in sorted(tokens) if token]
        sessions = _looked_at(lambda: self._m.internals.sessions_by_digest(digests))
        if not isinstance(sessions, metering.MeteringError):
            self._see(sessions)
        return sessions

    def has_seen(self, authorization: str | None) -> bool:
        """Whether a look has found the key or session of a request.

        It says whose requests go first and permits nothing: the key may be revoked by
        now, and a new one is not seen before the look at its first request.
        """
        try:
            digest = digest_of(secret_of(authorization))
        except NotAuthenticatedError:
            return False
        return digest in self._seen_keys or digest in self._seen_sessions

    def _see(self, sessions: Collection[bytes]) -> None:
        unseen = [each for each in sessions if each not in self._seen_sessions]
        if len(self._seen_sessions) + len(unseen) > _SESSIONS_SEEN_MAX:
            # Those in use are seen again with their next requests.
            self._seen_sessions = {}
        self._seen_sessions.update(dict.fromkeys(unseen))


def _looked_at(look: Callable[[], Keys]) -> Keys:
    """Look, and return what goes wrong: it concerns these requests only."""
    try:
        return look()
    except metering.MeteringError as error:
        return error
    except Exception:
        # A fault of this program must not end the thread that looks for all others.
        _logger.exception("The API keys could not be looked at")
        return metering.MeteringError("The API keys could not be looked at")


def key_of(keys: Keys, authorization: str | None) -> ApiKey:
    """Return the key of a request: ``Bearer``, or the user name of ``Basic``."""
    secret = secret_of(authorization)
    if isinstance(keys, metering.MeteringError):
        raise keys
    # Found by a hash of 256 random bits: the time that takes reveals none of them.
    key = keys.get(digest_of(secret))
    if not isinstance(key, ApiKey):
        raise NotAuthenticatedError(f"Invalid API Key provided: {_masked(secret)}")
    if key.revoked_at is not None:
        message = f"Expired API Key provided: {_masked(secret)}"
        raise NotAuthenticatedError(message, code="api_key_expired")
    return key


def session_of(sessions: Keys, authorization: str | None) -> MeterEventSession:
    """Return the session of a request, by the token that it carries as ``Bearer``."""
    token = _bearer(authorization)
    if not token:
        raise NotAuthenticatedError(_NOT_OPENED)
    if isinstance(sessions, metering.MeteringError):
        raise sessions
    session = sessions.get(digest_of(token))
    if not isinstance(session, MeterEventSession):
        message = f"Invalid authentication token provided: {_masked(token)}"
        raise NotAuthenticatedError(message)
    if session.is_expired:
        raise SessionExpiredError
    return session


def secret_of(authorization: str | None) -> str:
    """Return the secret of a key: what is ``Bearer``, or the user name of ``Basic``.

    Raises:
        NotAuthenticatedError: there is none.
    """
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    secret = credentials.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(secret, validate=True).decode()
        except ValueError as error:
            raise NotAuthenticatedError(_MISSING) from error
        secret = decoded.partition(":")[0]
    elif scheme.lower() != "bearer":
        raise NotAuthenticatedError(_MISSING)
    if not secret:
        raise NotAuthenticatedError(_MISSING)
    return secret


def check_account(headers: Mapping[str, str]) -> None:
    """Check that a request is for no account in particular, as a store has one.

    To record the usage of a connected account as that of the store would bill the wrong
    customers.
    """
    for name in ("Stripe-Account", "Stripe-Context"):
        if account := headers.get(name.lower(), "").strip():
            raise OtherAccountError(name, account)


def check_scope(key: ApiKey, scope: ScopeName) -> None:
    """Check that a key has a scope."""
    if scope not in key.scopes:
        raise NotPermittedError(key.last_four, scope)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _masked(secret: str) -> str:
    """Return as much of a secret as is needed to recognise it."""
    kind = secret[:8] if secret[:3] in {"sk_", "rk_"} else ""
    last = secret[-4:] if len(secret) >= 16 else ""
    return f"{kind}***{last}"
