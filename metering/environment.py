"""Settings that a deployment makes: variables of the environment, by the names they have.

`metering.connect` without a target and the options of the command line read them. A
variable that is empty is not set.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

import msgspec

from ledger.records.secret_keys import KEY_BYTES, SecretKeys
from metering.errors import InvalidRequestError

STORE = "METERING_STORE"
SEGMENTS = "METERING_SEGMENTS"
CACHE = "METERING_CACHE"
LIVEMODE = "METERING_LIVEMODE"
ALLOW_PRIVATE_WEBHOOKS = "METERING_ALLOW_PRIVATE_WEBHOOKS"
LOCK_TIMEOUT = "METERING_LOCK_TIMEOUT"
STATEMENT_TIMEOUT = "METERING_STATEMENT_TIMEOUT"
POOL_SIZE = "METERING_POOL_SIZE"
CLOCK_SKEW_MAX = "METERING_CLOCK_SKEW_MAX"
ENTITLE_AT_ONCE = "METERING_ENTITLE_AT_ONCE"
STRICT = "METERING_STRICT"
REPORT_RETENTION_DAYS = "METERING_REPORT_RETENTION_DAYS"
SECRET_KEY = "METERING_SECRET_KEY"  # noqa: S105  # a name

# What the command line takes for these options.
_FLAGS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off", ""), False),
}

_NUMBER = re.compile("[1-9][0-9]{0,5}")
_KEY = re.compile(f"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")
_LONGEST_KEY_FILE = 64 << 10


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says of a store; see `metering.connect`.

    Time-outs are whole seconds there.
    """

    store: str
    segments: str | None
    cache: str | None
    livemode: bool
    allow_private_webhooks: bool
    lock_timeout: timedelta | None
    statement_timeout: timedelta | None
    pool_size: int | None

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables of an environment.

        Raises:
            InvalidRequestError: no store is named, a flag is neither on nor off, or a
                number is none.
        """
        if not variables.get(STORE):
            raise InvalidRequestError(
                f"No store is named: give connect a target, or set {STORE} to a"
                " directory or to the URL of a PostgreSQL database",
                code="parameter_missing",
                param="target",
            )
        return cls(
            store=variables[STORE],
            segments=variables.get(SEGMENTS) or None,
            cache=variables.get(CACHE) or None,
            livemode=_flag(variables, LIVEMODE),
            allow_private_webhooks=_flag(variables, ALLOW_PRIVATE_WEBHOOKS),
            lock_timeout=_seconds(variables, LOCK_TIMEOUT),
            statement_timeout=_seconds(variables, STATEMENT_TIMEOUT),
            pool_size=_number(variables, POOL_SIZE),
        )


def clock_skew_max_of(variables: Mapping[str, str]) -> timedelta | None:
    """Return how far off an environment lets clocks be; None where it does not say.

    Raises:
        InvalidRequestError: it is no whole number of seconds.
    """
    return _seconds(variables, CLOCK_SKEW_MAX)


def entitles_at_once(variables: Mapping[str, str]) -> bool:
    """Whether an environment has existing subscriptions see new features at once.

    Raises:
        InvalidRequestError: it is neither on nor off.
    """
    return _flag(variables, ENTITLE_AT_ONCE)


def is_strict(variables: Mapping[str, str]) -> bool:
    """Whether an environment holds test clocks to the limits of the reference.

    Raises:
        InvalidRequestError: it is neither on nor off.
    """
    return _flag(variables, STRICT)


def report_retention_of(variables: Mapping[str, str]) -> timedelta | None:
    """Return for how long an environment keeps files of reports; None if it is silent.

    Raises:
        InvalidRequestError: it is no whole number of days.
    """
    days = _number(variables, REPORT_RETENTION_DAYS)
    return None if days is None else timedelta(days=days)


def secret_key_file_of(variables: Mapping[str, str]) -> Path | None:
    """Return the file in which an environment has its secret keys, if it is in one."""
    given = variables.get(SECRET_KEY, "").strip()
    return Path(given) if given.startswith("/") else None


def secret_keys_of(variables: Mapping[str, str]) -> SecretKeys:
    """Return the secret keys of an environment, none where it names none.

    The variable holds them in hexadecimal digits, or it is the absolute path of a file
    that does. Several stand apart by blanks or commas, the one in use first.

    Raises:
        InvalidRequestError: the file cannot be read, or what is there are no keys.
        EncryptionMissingError: there is a key, and what encrypts is not installed.
    """
    given, path = variables.get(SECRET_KEY, ""), secret_key_file_of(variables)
    if path is not None:
        try:
            with path.open(encoding="ascii") as file:
                given = file.read(_LONGEST_KEY_FILE)
        except (OSError, ValueError) as error:
            # Its path is not shown either: a key may begin as one does.
            reason = getattr(error, "strerror", None) or "it is no text"
            raise _invalid_key(f"its file cannot be read: {reason}") from None
        if not given.strip():
            raise _invalid_key("its file is empty")
    words = given.replace(",", " ").split()
    for number, each in enumerate(words, 1):
        if not _KEY.fullmatch(each):
            # Not shown: it may be a key with one digit too many.
            raise _invalid_key(f"key {number} of {len(words)} is none")
    return SecretKeys([bytes.fromhex(each) for each in words])


def _invalid_key(reason: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid {SECRET_KEY}: {reason}; give {2 * KEY_BYTES} hexadecimal digits, as"
        f" openssl rand -hex {KEY_BYTES} makes them, or the absolute path of a file with"
        " them",
        param=SECRET_KEY,
    )


def _flag(variables: Mapping[str, str], name: str) -> bool:
    value = variables.get(name, "")
    flag = _FLAGS.get(value.strip().lower())
    if flag is None:
        raise InvalidRequestError(
            f"Invalid {name}: {value!r}; must be 1 or 0", param=name
        )
    return flag


def _number(variables: Mapping[str, str], name: str) -> int | None:
    value = variables.get(name, "").strip()
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidRequestError(
            f"Invalid {name}: {value!r}; must be a whole number from 1 to 999999",
            param=name,
        )
    return int(value)


def _seconds(variables: Mapping[str, str], name: str) -> timedelta | None:
    number = _number(variables, name)
    return None if number is None else timedelta(seconds=number)
