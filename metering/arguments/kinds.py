"""Kinds of values: what a request may hold, read and checked, and refused by its path.

Values come spelled in one of four ways. A call of the library passes Python's own
values. A form of v1 has strings only. JSON of v2 has strings where a form has, and the
extensions take whole numbers as well. So kinds read strings where they are `spelled` and
insist on types where they are not; their limits are the same.

Kinds are made of the requests' schemas; see `metering.arguments.schema`.
Source: https://docs.stripe.com/error-codes
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from metering.arguments.refusals import empty, invalid, missing, unknown
from metering.arguments.strings import is_storable
from metering.arguments.times import ZONED_TIME
from metering.errors import InvalidRequestError, shown

Given = dict[str, Any]
"""What a request gave, read and checked; what it did not give is not in it."""

_ZONED_TIME = re.compile(ZONED_TIME)
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
_INDEX = re.compile(r"\d{1,4}", re.ASCII)


class Kind(Protocol):
    """What a value can be."""

    def read(self, value: Any, path: str) -> object:
        """Read a value.

        Args:
            value: as it was given, not None.
            path: where, in Stripe's notation: ``usage_threshold[gte]``.

        Raises:
            InvalidRequestError: it is not of this kind.
        """


class RequestField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a request, or of an object within one.

    Attributes:
        is_nullable: whether None takes its value away. Where it is spelled, it is
            spelled as an empty string.
        skips_none: whether None leaves it out.
        default: what it is where it is left out, None where that is nothing.
        description: what it is, for people; empty where its schema does not say.
    """

    kind: Kind
    is_required: bool = False
    is_nullable: bool = False
    skips_none: bool = True
    default: object = None
    description: str = ""


Fields = Mapping[str, RequestField]


class StringKind(msgspec.Struct, frozen=True, kw_only=True):
    """A string of so many characters.

    Attributes:
        check: judges it in place of its length, given the string and its path, and
            returns it in its canonical form; an empty one that is spelled comes first.
    """

    least: int = 1
    most: int
    spelled: bool = True
    check: Callable[[str, str], str] | None = None

    def read(self, value: Any, path: str) -> str:
        """Read a string."""
        is_judged = value != "" or not self.spelled
        if isinstance(value, str) and self.check is not None and is_judged:
            return self.check(value, path)
        if not isinstance(value, str) or not self.least <= len(value) <= self.most:
            if value == "" and self.spelled:
                raise empty(path)
            allowed = f"a string of {self.least} to {self.most} characters"
            raise invalid(path, value, allowed)
        if not self.spelled and not is_storable(value):
            raise InvalidRequestError(
                f"Invalid {path}: {shown(value)} holds a NUL or half a surrogate pair",
                code="invalid_characters",
                param=path,
            )
        return value


class IdKind(msgspec.Struct, frozen=True):
    """The id of something that is looked up; one that nothing has is found missing."""

    def read(self, value: Any, path: str) -> str:
        """Read an id."""
        if not isinstance(value, str):
            raise invalid(path, value, "the id of a resource")
        return value


class IntegerKind(msgspec.Struct, frozen=True, kw_only=True):
    """A whole number within bounds; True and 1.0 are none."""

    least: int
    most: int
    spelled: bool = True

    def read(self, value: Any, path: str) -> int:
        """Read a whole number."""
        number = value
        if self.spelled and isinstance(value, str):
            if not value:
                raise empty(path)
            if _WHOLE.fullmatch(value):
                number = int(value)
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        if not is_whole or not self.least <= number <= self.most:
            raise invalid(
                path,
                number,
                f"an integer from {self.least} to {self.most}",
                code="parameter_invalid_integer" if self.spelled else None,
            )
        assert isinstance(number, int), "it was checked"
        return number


class DecimalKind(msgspec.Struct, frozen=True, kw_only=True):
    """A decimal within bounds, exact to 12 fraction digits; no floating-point number."""

    least: int
    most: int
    spelled: bool = True

    def read(self, value: Any, path: str) -> Decimal:
        """Read a decimal, which has no idle zeros then."""
        # It loads Arrow, which the help of a command does without.
        from ledger.usage.quantities import (  # noqa: PLC0415
            FRACTION_DIGITS,
            fit_quantity,
            parse_number,
            shortest,
        )

        number: Decimal | None = None
        match value:
            case "" if self.spelled:
                raise empty(path)
            case str():
                # With an exponent too: so Stripe's client writes what is small.
                number = parse_number(value)
            case Decimal() if value.is_finite():
                number = value
            case int() if not isinstance(value, bool):
                number = Decimal(value) if self.least <= value <= self.most else None
            case _:
                pass
        if number is not None and self.least <= number <= self.most:
            exact = fit_quantity(number)
            if exact is not None:
                return shortest(exact)
        raise invalid(
            path,
            value,
            f"a decimal from {self.least} to {self.most} with at most"
            f" {FRACTION_DIGITS} decimal places",
        )


class IntegerOrWordKind(msgspec.Struct, frozen=True, kw_only=True):
    """A whole number within bounds, or one of some words."""

    integer: IntegerKind
    words: tuple[str, ...]

    def read(self, value: Any, path: str) -> int | str:
        """Read a number or a word."""
        if isinstance(value, str) and value in self.words:
            return value
        try:
            return self.integer.read(value, path)
        except InvalidRequestError as refusal:
            words = " or ".join(self.words)
            raise InvalidRequestError(
                f"{refusal.message}, or {words}", code=refusal.code, param=path
            ) from None


class ChoiceKind(msgspec.Struct, frozen=True, kw_only=True):
    """One of some words."""

    words: tuple[str, ...]
    spelled: bool = True

    def read(self, value: Any, path: str) -> str:
        """Read a word."""
        if not isinstance(value, str) or value not in self.words:
            if value == "" and self.spelled:
                raise empty(path)
            allowed = ", ".join(self.words)
            if len(self.words) > 1:
                allowed = f"one of {allowed}"
            raise invalid(path, value, allowed)
        return value


class BooleanKind(msgspec.Struct, frozen=True, kw_only=True):
    """True or false."""

    spelled: bool = True

    def read(self, value: Any, path: str) -> bool:
        """Read a boolean."""
        if self.spelled and isinstance(value, str) and value in {"true", "false"}:
            return bool(value == "true")
        if not isinstance(value, bool):
            raise invalid(path, value, "true or false")
        return value


class AnyTimeKind(msgspec.Struct, frozen=True):
    """A time as callers of the library give it, for `instant` to turn into one."""

    def read(self, value: Any, path: str) -> object:
        """Return the time as it is."""
        del path
        return value


class TimestampKind(msgspec.Struct, frozen=True, kw_only=True):
    """A time in RFC 3339, or also in whole seconds, which the library judges."""

    takes_seconds: bool

    def read(self, value: Any, path: str) -> int | str:
        """Read seconds as a number and anything else as a string."""
        is_boolean = isinstance(value, bool)
        if self.takes_seconds and isinstance(value, int) and not is_boolean:
            return value
        text = value if isinstance(value, str) else ""
        if self.takes_seconds and _WHOLE.fullmatch(text):
            return int(text)
        if not _ZONED_TIME.fullmatch(text):
            seconds = "whole seconds since 1970, or " if self.takes_seconds else ""
            raise invalid(
                path,
                value,
                f"{seconds}a time of RFC 3339 such as 2026-01-31T12:00:00.000Z",
                code="timestamp_invalid",
            )
        return text


class ObjectKind(msgspec.Struct, frozen=True, kw_only=True):
    """An object with fields of its own."""

    fields: Fields

    def read(self, value: Any, path: str) -> Given:
        """Read an object."""
        if not isinstance(value, Mapping):
            keys = " and ".join(self.fields)
            raise invalid(path, value, f"an object with {keys}")
        return read_fields(self.fields, value, path)


class ListKind(msgspec.Struct, frozen=True, kw_only=True):
    """A list of so many elements. In a form, an empty string is an empty one."""

    kind: Kind
    least: int = 0
    most: int | None
    spelled: bool = True

    def read(self, value: Any, path: str) -> list[object]:
        """Read the elements, in a form in the order of their indices."""
        elements = self._elements(value)
        if elements is None:
            raise invalid(path, value, self._allowed())
        most = len(elements) if self.most is None else self.most
        if not self.least <= len(elements) <= most:
            raise InvalidRequestError(
                f"Invalid {path}: {len(elements)} elements; must be {self._allowed()}",
                param=path,
            )
        return [self.kind.read(each, f"{path}[{at}]") for at, each in elements]

    def _elements(self, value: Any) -> list[tuple[object, Any]] | None:
        if self.spelled and value == "":
            return []
        if self.spelled and isinstance(value, Mapping):
            if not all(map(_INDEX.fullmatch, value)):
                return None
            return [(index, value[index]) for index in sorted(value, key=int)]
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            return None
        return list(enumerate(value))

    def _allowed(self) -> str:
        if self.most is None:
            return f"a list of at least {self.least} elements"
        return f"a list of {self.least} to {self.most} elements"


class MappingKind(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the caller's own, each with a value of one kind."""

    key: StringKind
    kind: Kind
    has_nulls: bool = False
    most: int

    def read(self, value: Any, path: str) -> Given:
        """Read keys and values."""
        if not isinstance(value, Mapping):
            raise invalid(path, value, f"an object of up to {self.most} keys")
        if len(value) > self.most:
            raise InvalidRequestError(
                f"Invalid {path}: {len(value)} keys; must be at most {self.most}",
                param=path,
            )
        found: Given = {}
        for key, each in value.items():
            name = self.key.read(key, path)
            if each is None and self.has_nulls:
                found[name] = None
            else:
                found[name] = self.kind.read(each, f"{path}[{name}]")
        return found


class EitherKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind where the value is single, another where it is an object or a list."""

    single: Kind
    nested: Kind

    def read(self, value: Any, path: str) -> object:
        """Read the value."""
        is_nested = isinstance(value, Mapping | list | tuple)
        return (self.nested if is_nested else self.single).read(value, path)


def read_fields(fields: Fields, given: Mapping[Any, Any], path: str = "") -> Given:
    """Read what was given for some fields.

    Args:
        fields: those that there are, in the order in which they are judged.
        given: values by name; UNSET is a field left out.
        path: of the object they are in.

    Raises:
        InvalidRequestError: a field is unknown, missing or malformed.
    """
    for name in given:
        if name not in fields:
            raise unknown(within(path, name if isinstance(name, str) else shown(name)))
    read: Given = {}
    for name, field in fields.items():
        value = given.get(name, UNSET)
        if field.is_nullable and (value is None or value == ""):
            read[name] = None
        elif value is not None and value is not UNSET:
            read[name] = field.kind.read(value, f"{path}[{name}]" if path else name)
        elif field.is_required:
            raise missing(within(path, name))
        elif value is None and not field.skips_none:
            field.kind.read(None, within(path, name))
    return read


def within(path: str, name: str) -> str:
    """Return the path of what is in an object, as forms write it."""
    return f"{path}[{name}]" if path else name
