"""Authentication: which key a request came with, and whether it opens the server."""

import base64
import binascii
import threading
from collections.abc import Mapping

from metering.api_keys import ApiKey, ScopeName, digest_of
from metering.connection import Metering
from metering.server.errors import NotAuthenticatedError, NotPermittedError

_MISSING = (
    "You did not provide an API key. You need to provide your API key in the"
    " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
    " YOUR_SECRET_KEY')."
)


class Keyring:
    """The keys of a store, as they are when a request comes: revoked is refused at once.

    Requests that come at the same time share a look at the store. A look counts for
    those that waited before it began, so none goes by what was true before it came.
    """

    def __init__(self, m: Metering) -> None:
        self._m = m
        self._counting = threading.Lock()
        self._looking = threading.Lock()
        self._begun = 0
        self._seen = 0
        self._keys: Mapping[bytes, ApiKey] = {}

    def key_of(self, authorization: str | None) -> ApiKey:
        """Find the key of a request.

        Args:
            authorization: the header: ``Bearer``, or ``Basic`` with the key as the name
                of the user.

        Raises:
            NotAuthenticatedError: there is none, or none that is good.
        """
        secret = _secret(authorization)
        # Found by a hash of 256 random bits: how long that takes tells nothing of them.
        key = self._current().get(digest_of(secret))
        if key is None:
            raise NotAuthenticatedError(f"Invalid API Key provided: {_masked(secret)}")
        if key.revoked_at is not None:
            message = f"Expired API Key provided: {_masked(secret)}"
            raise NotAuthenticatedError(message, code="api_key_expired")
        return key

    def _current(self) -> Mapping[bytes, ApiKey]:
        with self._counting:
            begun = self._begun
        with self._looking:
            if self._seen <= begun:
                with self._counting:
                    self._begun += 1
                self._keys = self._m.api_keys.by_digest()
                self._seen = self._begun
            return self._keys


def check_scope(key: ApiKey, scope: ScopeName) -> None:
    """Check that a key may do something.

    Raises:
        NotPermittedError: its scopes do not allow it.
    """
    if scope not in key.scopes:
        raise NotPermittedError(key.last_four, scope)


def _secret(authorization: str | None) -> str:
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    secret = credentials.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(secret, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise NotAuthenticatedError(_MISSING) from error
        secret = decoded.partition(":")[0]
    elif scheme.lower() != "bearer":
        raise NotAuthenticatedError(_MISSING)
    if not secret:
        raise NotAuthenticatedError(_MISSING)
    return secret


def _masked(secret: str) -> str:
    """Show as much of a secret as is needed to know it by."""
    kind = secret[:8] if secret[:3] in {"sk_", "rk_"} else ""
    last = secret[-4:] if len(secret) >= 16 else ""
    return f"{kind}***{last}"
