"""Secret keys encrypt, digest and can be replaced, and are shown nowhere."""

import secrets
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import (
    EncryptionMissingError,
    SecretDamagedError,
    SecretKeyMissingError,
)
from ledger.records.secret_keys import SecretKeys, key_name_of

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SECRET = "whsec_" + "c2VjcmV0" * 5 + "c2U="
PLACE = ("secret", "of", "we_1")
WHAT = "the secret of we_1"


def test_a_secret_is_stored_encrypted_and_read_again() -> None:
    keys = SecretKeys([NEW])

    stored = keys.encrypt(SECRET, PLACE)

    assert SECRET not in stored
    assert key_name_of(stored) == keys.names[0]
    assert keys.decrypt(stored, PLACE, WHAT) == SECRET
    assert keys.encrypt(SECRET, PLACE) != stored
    assert len(stored) <= 128


def test_without_a_key_a_secret_stays_as_it_is() -> None:
    keys = SecretKeys()

    assert keys.encrypt(SECRET, PLACE) == SECRET
    assert SecretKeys([NEW]).decrypt(SECRET, PLACE, WHAT) == SECRET
    assert keys.is_current(SECRET)
    assert not SecretKeys([NEW]).is_current(SECRET)


def test_an_earlier_key_still_decrypts_and_is_not_current() -> None:
    stored = SecretKeys([OLD]).encrypt(SECRET, PLACE)
    both = SecretKeys([NEW, OLD])

    assert both.decrypt(stored, PLACE, WHAT) == SECRET
    assert not both.is_current(stored)
    assert both.is_current(both.encrypt(SECRET, PLACE))


@pytest.mark.parametrize("keys", [SecretKeys(), SecretKeys([NEW])])
def test_another_key_is_named_and_so_is_the_one_that_is_needed(
    keys: SecretKeys,
) -> None:
    needed = SecretKeys([OLD])
    stored = needed.encrypt(SECRET, PLACE)

    with pytest.raises(SecretKeyMissingError, match=needed.names[0]) as raised:
        keys.decrypt(stored, PLACE, WHAT)

    assert "secret of we_1" in raised.value.message
    assert raised.value.found == keys.names


@given(at=st.integers(13, 115), bit=st.integers(0, 6))
def test_a_changed_ciphertext_is_never_read(at: int, bit: int) -> None:
    stored = SecretKeys([NEW]).encrypt(SECRET, PLACE)
    at = min(at, len(stored) - 1)
    changed = stored[:at] + chr(ord(stored[at]) ^ 1 << bit) + stored[at + 1 :]

    # The last bits of a base64 word say nothing.
    try:
        assert SecretKeys([NEW]).decrypt(changed, PLACE, WHAT) == SECRET
    except (SecretDamagedError, SecretKeyMissingError):
        pass
    else:
        assert at >= len(stored) - 3


@pytest.mark.parametrize(
    "place", [("secret", "of", "we_2"), ("secret", "ofwe", "_1"), ("secret of we_1",)]
)
def test_a_ciphertext_that_was_moved_is_damaged(place: tuple[str, ...]) -> None:
    keys = SecretKeys([NEW])

    with pytest.raises(SecretDamagedError):
        keys.decrypt(keys.encrypt(SECRET, PLACE), place, WHAT)


def test_keys_are_not_shown() -> None:
    key = secrets.token_bytes(32)

    shown = repr(SecretKeys([key, OLD]))

    assert key.hex() not in shown
    assert shown == f"SecretKeys({', '.join(SecretKeys([key, OLD]).names)})"


def test_a_key_needs_what_encrypts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    SecretKeys()
    with pytest.raises(EncryptionMissingError, match=r"metering-engine\[encryption\]"):
        SecretKeys([NEW])
