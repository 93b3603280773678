"""Leaves: parameters without their nesting, named as forms name them.

``created[gte]`` is what `gte` is within `created`; what an element of a list has is
named with empty brackets, ``types[]``, and may be given again and again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from metering.server.grammar.parameters import (
    Either,
    Items,
    Kind,
    Parameters,
    Shape,
    optional,
    within,
)
from metering.server.grammar.schemas import Schema, schema_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A parameter that holds no others.

    Attributes:
        name: in brackets.
        schema: of one value.
        is_repeated: whether there may be many, as of a list.
        is_required: whether what it is in needs it.
        parent: the innermost thing around it that can be left out, by its name; empty
            where there is none.
    """

    name: str
    schema: Schema
    is_repeated: bool
    is_required: bool
    parent: str

    @property
    def is_always_required(self) -> bool:
        """Whether no request does without it."""
        return self.is_required and not self.parent


def leaves_of(
    parameters: Parameters, path: str = "", parent: str = ""
) -> Iterator[Leaf]:
    """Name the leaves of some parameters, in their order.

    Args:
        parameters: of a route, or of an object within one.
        path: where that is.
        parent: as of a `Leaf`.
    """
    for name, parameter in parameters.items():
        at, is_required = within(path, name), parameter.is_required
        match parameter.kind:
            case Shape() as shape:
                around = parent if is_required else at
                yield from leaves_of(shape.parameters, at, around)
            case Items(kind=Shape() as shape, least=least):
                around = parent if is_required and least else at
                for leaf in leaves_of(shape.parameters, f"{at}[]", around):
                    yield replace(leaf, is_repeated=True)
            case Either() as either:
                yield _leaf(either.text, at, parent)
                yield from leaves_of({name: optional(either.tree)}, path, parent)
            case kind:
                yield _leaf(kind, at, parent, is_required=is_required)


def _leaf(kind: Kind, path: str, parent: str, *, is_required: bool = False) -> Leaf:
    is_list = isinstance(kind, Items)
    one = kind.kind if isinstance(kind, Items) else kind
    return Leaf(
        name=f"{path}[]" if is_list else path,
        schema=schema_of(one),
        is_repeated=is_list,
        is_required=is_required,
        parent=parent,
    )
