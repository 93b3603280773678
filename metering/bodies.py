"""Resources as JSON: for programs with every digit, for Stripe's clients as Stripe has it.

`ResourceObject.to_dict` and `msgspec.json.encode` keep what a resource holds: times are
strings of RFC 3339, exact decimals are strings. `body_of` writes Stripe's fields and no
others: times are whole seconds, exact decimals are numbers with all their digits, or
strings where a field's name ends in `_decimal`, and equal resources give equal bytes.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

Body = dict[str, Any]

_IN_A_STRING = "_decimal"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


class ResourceObject(msgspec.Struct, frozen=True, kw_only=True):
    """A value that callers get back.

    Attributes:
        beyond_stripe: fields that Stripe's resource does not have.
        absent_where_none: fields that are left out of Stripe's JSON where they are None.
        hidden: fields that hold a secret. They are read as others are, and left out
            where the value is printed, so that none gets into a log.
    """

    beyond_stripe: ClassVar[frozenset[str]] = frozenset()
    absent_where_none: ClassVar[frozenset[str]] = frozenset()
    hidden: ClassVar[frozenset[str]] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that any JSON library can write.

        Times are strings of RFC 3339 in UTC, decimals strings with all their digits.
        """
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the fields that are shown."""
        names = [name for name in self.__struct_fields__ if name not in self.hidden]
        return [(name, getattr(self, name)) for name in names]

    def __repr__(self) -> str:
        """Return the resource as code, without its secrets."""
        fields = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(fields)})"


def body_of(resource: ResourceObject) -> Body:
    """Return a resource as Stripe writes it, ready to be encoded."""
    beyond, absent = resource.beyond_stripe, resource.absent_where_none
    body = {}
    for name in resource.__struct_fields__:
        if name in beyond:
            continue
        value = getattr(resource, name)
        if isinstance(value, Decimal) and name.endswith(_IN_A_STRING):
            value = f"{value:f}"
        if value is not None or name not in absent:
            body[name] = _plain(value)
    return body


def part_of(resource: ResourceObject, name: str) -> Body:
    """Return a field that Stripe's resource has only where it is asked for, by its name.

    It is nothing where it is None.
    """
    value = getattr(resource, name)
    return {} if value is None else {name: _plain(value)}


def encoded(body: Body) -> bytes:
    """Return the JSON of a body."""
    return _ENCODER.encode(body)


def _plain(value: object) -> object:
    match value:
        case ResourceObject():
            return body_of(value)
        case datetime():
            return (value - _EPOCH) // _SECOND
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value
