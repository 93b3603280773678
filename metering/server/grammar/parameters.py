"""Parameters: what a route takes, as data, and what is said of anything else.

A form holds texts only, so each kind of parameter reads its own out of them. What the
values mean is for the library to judge. Source: https://docs.stripe.com/error-codes
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from metering.errors import InvalidRequestError
from metering.server.grammar.forms import Elements, Tree, Whole

Given = dict[str, Any]
"""What a request gave for the parameters of its route, read and checked."""

_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
RFC_3339 = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
"""A pattern for the times of v2."""
_TIMESTAMP = re.compile(RFC_3339)
_WHOLES = ("integer", "time")
_INDEX = re.compile(r"\d{1,4}", re.ASCII)
_LATEST = 253_402_300_799
_LONGEST = 5_000
POSITION_MAX = 10**18 - 1
"""Of the log, as far as it is asked for."""


class Kind(Protocol):
    """What a parameter's value can be."""

    def read(self, value: str | Tree, path: str) -> object:
        """Read a value.

        Args:
            value: what the form has.
            path: where, in brackets, for messages.

        Raises:
            InvalidRequestError: it is none of this kind.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a route, or of an object within one."""

    kind: Kind
    is_required: bool = False


Parameters = Mapping[str, Parameter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of so many characters; where it `unsets`, an empty one takes away."""

    longest: int = _LONGEST
    unsets: bool = False

    def read(self, value: str | Tree, path: str) -> object:
        """Read a text."""
        text = _text(value, path, "string")
        if not text and not self.unsets:
            raise _empty(path)
        _check_length(text, self.longest, path)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """A whole number within bounds; where it `unsets`, an empty text takes away."""

    least: int
    most: int
    unsets: bool = False

    def read(self, value: str | Tree, path: str) -> object:
        """Read a whole number."""
        text = _text(value, path, "integer")
        if not text:
            if self.unsets:
                return None
            raise _empty(path)
        if not _WHOLE.fullmatch(text):
            raise _no_integer(path, f"Invalid integer: {text[:60]}")
        number = int(text)
        if number < self.least:
            reason = f"must be greater than or equal to {self.least}"
            raise _no_integer(path, f"Invalid integer: {text}; {reason}")
        if number > self.most:
            reason = f"must be less than or equal to {self.most}"
            raise _no_integer(path, f"Invalid integer: {text}; {reason}")
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def read(self, value: str | Tree, path: str) -> object:
        """Read a word."""
        text = _text(value, path, "string")
        if not text:
            raise _empty(path)
        if text not in self.words:
            *others, last = self.words
            listed = f"{', '.join(others)} or {last}" if others else last
            raise InvalidRequestError(
                f"Invalid {path}: must be {'one of ' if others else ''}{listed}",
                param=path,
            )
        return text


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: str | Tree, path: str) -> object:
        """Read a truth."""
        text = _text(value, path, "boolean")
        if text not in {"true", "false"}:
            raise InvalidRequestError(f"Invalid boolean: {text[:60]}", param=path)
        return text == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Keys of the caller's own, each with a text.

    Attributes:
        unsets: whether an empty text takes all away, and is read as None.
        most: how many there may be.
    """

    unsets: bool = False
    longest_key: int = 100
    longest_value: int = 500
    most: int = 500

    def read(self, value: str | Tree, path: str) -> object:
        """Read keys and texts."""
        if self.unsets and value == "":
            return None
        tree = _tree(value, path)
        if len(tree) > self.most:
            raise InvalidRequestError(
                f"Invalid {path}: {len(tree)} keys; must be at most {self.most}",
                param=path,
            )
        for key, each in tree.items():
            at = f"{path}[{key[:100]}]"
            _check_length(key, self.longest_key, path)
            _check_length(_text(each, at, "string"), self.longest_value, at)
        return tree


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with parameters of its own."""

    parameters: Parameters

    def read(self, value: str | Tree, path: str) -> object:
        """Read an object."""
        return read_parameters(self.parameters, _tree(value, path), path)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time as RFC 3339 writes it; which times there are is for the library to judge."""

    def read(self, value: str | Tree, path: str) -> object:
        """Read a time."""
        text = _text(value, path, "timestamp")
        if not _TIMESTAMP.fullmatch(text):
            raise InvalidRequestError(
                f"Invalid timestamp: {text[:60]}; must be a time of RFC 3339 such as"
                " 2026-01-31T12:00:00.000Z",
                code="timestamp_invalid",
                param=path,
            )
        return text


@dataclass(frozen=True, slots=True)
class Moment:
    """A whole number, or a time as RFC 3339 writes it; the library judges either."""

    def read(self, value: str | Tree, path: str) -> object:
        """Read a number as one, and a time as a text."""
        text = _text(value, path, "time")
        if _WHOLE.fullmatch(text):
            return int(text)
        if not _TIMESTAMP.fullmatch(text):
            raise InvalidRequestError(
                f"Invalid time: {text[:60]}; must be a whole number, or a time of RFC"
                " 3339 such as 2026-01-31T12:00:00Z",
                code="timestamp_invalid",
                param=path,
            )
        return text


@dataclass(frozen=True, slots=True)
class Items:
    """A list of so many elements; an empty text is an empty one."""

    kind: Kind
    least: int = 0
    most: int = 10_000

    def read(self, value: str | Tree, path: str) -> object:
        """Read the elements in the order of their indices."""
        if value == "":
            return []
        if isinstance(value, str) or not all(map(_INDEX.fullmatch, value)):
            raise InvalidRequestError("Invalid array", param=path)
        if not self.least <= len(value) <= self.most:
            raise InvalidRequestError(
                f"Invalid array: {len(value)} elements; must be at least {self.least}"
                f" and at most {self.most}",
                param=path,
            )
        return [
            self.kind.read(value[index], f"{path}[{index}]")
            for index in sorted(value, key=int)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One kind where the value is a text, another where it is an object."""

    text: Kind
    tree: Kind

    def read(self, value: str | Tree, path: str) -> object:
        """Read the value."""
        kind = self.text if isinstance(value, str) else self.tree
        return kind.read(value, path)


@dataclass(frozen=True, slots=True)
class KeyedBy:
    """Keys of the caller's own, each with a value of one kind."""

    kind: Kind
    longest_key: int = 100
    most: int = 100

    def read(self, value: str | Tree, path: str) -> object:
        """Read keys and values."""
        tree = _tree(value, path)
        if len(tree) > self.most:
            raise InvalidRequestError(
                f"Invalid {path}: {len(tree)} keys; must be at most {self.most}",
                param=path,
            )
        for key in tree:
            _check_length(key, self.longest_key, path)
        return {
            key: self.kind.read(each, f"{path}[{key}]") for key, each in tree.items()
        }


METADATA = Pairs(unsets=True, longest_key=40, most=50)


def required(kind: Kind) -> Parameter:
    """Say that a parameter must be given."""
    return Parameter(kind=kind, is_required=True)


def optional(kind: Kind) -> Parameter:
    """Say that a parameter may be left out."""
    return Parameter(kind=kind)


def seconds(*, unsets: bool = False) -> Integer:
    """Say that a parameter is a time, in whole seconds since 1970 UTC."""
    return Integer(least=0, most=_LATEST, unsets=unsets)


def read_parameters(parameters: Parameters, tree: Tree, path: str = "") -> Given:
    """Read what was given; what was not is left out.

    Raises:
        InvalidRequestError: a parameter is unknown, missing or malformed.
    """
    for name in tree:
        if name not in parameters:
            at = within(path, name)[:100]
            raise InvalidRequestError(
                f"Received unknown parameter: {at}", code="parameter_unknown", param=at
            )
    given: Given = {}
    for name, parameter in parameters.items():
        value = tree.get(name)
        if value is not None:
            given[name] = parameter.kind.read(value, within(path, name))
        elif parameter.is_required:
            at = within(path, name)
            raise InvalidRequestError(
                f"Missing required param: {at}.", code="parameter_missing", param=at
            )
    return given


def within(path: str, name: str) -> str:
    """Name what is within an object, as forms do."""
    return f"{path}[{name}]" if path else name


def _text(value: str | Tree, path: str, wanted: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequestError(f"Invalid {wanted}: an object", param=path)
    if isinstance(value, Whole) and wanted not in _WHOLES:
        raise InvalidRequestError(f"Invalid {wanted}: a number", param=path)
    return value


def _tree(value: str | Tree, path: str) -> Tree:
    if isinstance(value, str | Elements):
        raise InvalidRequestError("Invalid object", param=path)
    return value


def _check_length(text: str, longest: int, path: str) -> None:
    if len(text) > longest:
        shown = text if len(text) <= 40 else f"{text[:20]}...{text[-17:]}"
        raise InvalidRequestError(
            f"Invalid string: {shown}; must be at most {longest} characters", param=path
        )


def _empty(path: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"You passed an empty string for '{path}', which cannot be unset; leave it out"
        " or give a value.",
        code="parameter_invalid_empty",
        param=path,
    )


def _no_integer(path: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, code="parameter_invalid_integer", param=path)
