"""Leaves: fields without their nesting, named as forms name them.

``created[gte]`` is the field `gte` of `created`. What an element of a list has is named
with empty brackets, ``types[]``, and may be given again and again.
"""

from collections.abc import Iterator

import msgspec

from metering.arguments.kinds import (
    EitherKind,
    Fields,
    ListKind,
    ObjectKind,
    RequestField,
    within,
)
from metering.server.grammar.schemas import Schema, schema_of_field


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A field that holds no others.

    Attributes:
        name: in brackets.
        schema: of one value.
        is_repeated: whether there may be many, as of a list.
        is_required: whether what it is in needs it.
        parent: name of the innermost field around it that can be left out; empty where
            there is none.
    """

    name: str
    schema: Schema
    is_repeated: bool
    is_required: bool
    parent: str

    @property
    def is_always_required(self) -> bool:
        """Whether every request needs it."""
        return self.is_required and not self.parent


def leaves_of(fields: Fields, path: str = "", parent: str = "") -> Iterator[Leaf]:
    """Return the leaves of some fields, in their order.

    Args:
        fields: of a route, or of an object within one.
        path: where that is.
        parent: as of a `Leaf`.
    """
    for name, field in fields.items():
        at = within(path, name)
        around = parent if field.is_required else at
        match field.kind:
            case ObjectKind(fields=inner):
                yield from leaves_of(inner, at, around)
            case ListKind(kind=ObjectKind(fields=inner), least=least):
                for leaf in leaves_of(inner, f"{at}[]", around if least else at):
                    yield msgspec.structs.replace(leaf, is_repeated=True)
            case EitherKind(single=single, nested=nested):
                yield _leaf(RequestField(kind=single), at, parent)
                yield from leaves_of({name: RequestField(kind=nested)}, path, parent)
            case _:
                yield _leaf(field, at, parent)


def _leaf(field: RequestField, path: str, parent: str) -> Leaf:
    is_list = isinstance(field.kind, ListKind)
    one = (
        msgspec.structs.replace(field, kind=field.kind.kind)
        if isinstance(field.kind, ListKind)
        else field
    )
    return Leaf(
        name=f"{path}[]" if is_list else path,
        schema=schema_of_field(one),
        is_repeated=is_list,
        is_required=field.is_required,
        parent=parent,
    )
