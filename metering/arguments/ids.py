"""Ids: the source of names for what is new, and what has the id that a caller gave."""

import hashlib
import random
import secrets
from collections.abc import Callable
from typing import Protocol, TypeVar

from ledger.records.idempotency import Request
from metering.arguments.strings import is_storable
from metering.errors import ResourceMissingError

FoundT = TypeVar("FoundT")


def found_by_id(
    find: Callable[[str], FoundT | None],
    resource_id: object,
    kind: str,
    param: str = "id",
) -> FoundT:
    """Return what has an id that a caller gave.

    Args:
        find: finds it by an id that databases can store.
        resource_id: the id.
        kind: what it is of, for a refusal.
        param: the parameter that it was given as.

    Raises:
        ResourceMissingError: nothing has it.
    """
    found = None
    if isinstance(resource_id, str) and is_storable(resource_id):
        found = find(resource_id)
    if found is None:
        raise ResourceMissingError(kind, resource_id, param=param)
    return found


class Ids(Protocol):
    """A source of unique names."""

    def resource(self, prefix: str) -> str:
        """Make the id of a resource, such as ``mtr_…``."""

    def identifier(self, now: int) -> str:
        """Make the identifier of an event, given the time in microseconds."""

    def epoch(self) -> str:
        """Make the identity of a log."""


class RandomIds:
    """Names made of the time and of random bits."""

    def __init__(self) -> None:
        # Identifiers are unique and no secret. Each draw from the system would let go of
        # the interpreter, and under many threads wait to get it back.
        self._generator = random.Random(secrets.randbits(256))  # noqa: S311  # as said

    def resource(self, prefix: str) -> str:
        """Make the id of a resource: its prefix and 96 random bits."""
        return f"{prefix}_{secrets.token_hex(12)}"

    def identifier(self, now: int) -> str:
        """Make a UUID of version 7: identifiers made later sort later.

        Source: RFC 9562, section 5.7.
        """
        milliseconds = (now // 1000) & (2**48 - 1)
        chance = self._generator.getrandbits(80)
        number = (
            (milliseconds << 80)
            | (0x7 << 76)
            | ((chance >> 64 & 0xFFF) << 64)
            | (0b10 << 62)
            | (chance & (2**62 - 1))
        )
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def epoch(self) -> str:
        """Make the identity of a log: 128 random bits."""
        return secrets.token_hex(16)


def identifier_of(request: Request, *parts: bytes) -> str:
    """Return the identifier of an event, or of a part of one, made of its request.

    The same request makes the same, and nothing else does: the event itself says that
    the request was there.
    """
    named = (request.key_id.encode(), request.idempotency_key.encode(), *parts)
    digest = hashlib.sha256(b"\n".join(named)).hexdigest()
    return f"idmp_{digest[:32]}"
