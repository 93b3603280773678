"""Secret keys: what a deployment knows, and its store does not hold.

What must be readable, such as the secrets of webhooks, is encrypted under such a key. The
key of each cipher, and the name of a key, are derived from it, so that neither says
anything of it. The first key is in use; the others still decrypt, so that a key can be
replaced.

A ciphertext is bound to the place of its row: moved to another row, it is damaged.
Sources: AES-GCM, NIST SP 800-38D, with a random nonce, good for 2^32 ciphertexts a key;
HKDF, RFC 5869, without its first step, since a key is 256 random bits.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.errors import (
    EncryptionMissingError,
    SecretDamagedError,
    SecretKeyMissingError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_MARK = "enc1:"
_ENCRYPTION, _NAME = b"metering encryption", b"metering id"


class SecretKeys:
    """The secret keys of a deployment, the one in use first; or none.

    Args:
        keys: each of 256 random bits.

    Raises:
        EncryptionMissingError: there is a key, and what encrypts is not installed.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        assert all(len(each) == KEY_BYTES for each in keys), "they have 256 bits"
        self._keys = {_derived(each, _NAME)[:4].hex(): each for each in keys}
        self._names = tuple(self._keys)
        self._aead = _aead() if keys else None

    def __bool__(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def __repr__(self) -> str:
        """Return the names of the keys, which say nothing of the keys."""
        return f"{type(self).__name__}({', '.join(self._names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys, 8 hexadecimal digits each, that in use first."""
        return self._names

    def encrypt(self, secret: str, place: Sequence[str]) -> str:
        """Return a secret under the key in use, or as it is where there is none.

        Args:
            secret: in ASCII.
            place: names the table, and what identifies the row in it.
        """
        if self._aead is None:
            return secret
        cipher_of, _ = self._aead
        name, nonce = self._names[0], secrets.token_bytes(_NONCE_BYTES)
        cipher = cipher_of(_derived(self._keys[name], _ENCRYPTION))
        sealed = cipher.encrypt(nonce, secret.encode("ascii"), _joined(place))
        return f"{_MARK}{name}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str, place: Sequence[str], what: str) -> str:
        """Return the secret of what `encrypt` returned for the place.

        Args:
            stored: what `encrypt` returned.
            place: as it was given.
            what: names the secret to people.

        Raises:
            SecretKeyMissingError: it is under a key that is not here.
            SecretDamagedError: it was changed, or is that of another place.
        """
        name = key_name_of(stored)
        if name is None:
            return stored
        if self._aead is None or name not in self._keys:
            raise SecretKeyMissingError(what, name, self._names)
        cipher_of, tag_error = self._aead
        cipher = cipher_of(_derived(self._keys[name], _ENCRYPTION))
        try:
            sealed = base64.urlsafe_b64decode(stored.removeprefix(f"{_MARK}{name}:"))
            nonce, sealed = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            found = cipher.decrypt(nonce, sealed, _joined(place))
        except (ValueError, tag_error) as error:
            raise SecretDamagedError(what) from error
        return found.decode("ascii")

    def is_current(self, stored: str) -> bool:
        """Whether a stored secret is as `encrypt` would store it now."""
        return key_name_of(stored) == (self._names[0] if self else None)


def key_name_of(stored: str) -> str | None:
    """Return the name of the key that a stored secret is under; None where it is clear."""
    if not stored.startswith(_MARK):
        return None
    return stored.removeprefix(_MARK).partition(":")[0]


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, purpose + b"\x01", hashlib.sha256)


def _joined(place: Sequence[str]) -> bytes:
    """Write the parts of a place so that no two places are written the same."""
    return b"".join(b"%d:%b," % (len(raw), raw) for raw in map(str.encode, place))


def _aead() -> "tuple[type[AESGCM], type[Exception]]":
    """Return what encrypts, and what it raises of something else."""
    try:
        # An extra, and no part of it is needed without a key.
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EncryptionMissingError(str(error.name)) from error
    return AESGCM, InvalidTag
