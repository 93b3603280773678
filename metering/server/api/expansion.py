"""Expansion: resources in the place of their ids, and parts that are left out else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metering.bodies import Body, body_of, part_of
from metering.connection import Metering
from metering.errors import InvalidRequestError, ResourceMissingError

ITEM = "data"
_DEPTH_MAX = 4

Expansions = Mapping[str, str]
"""Paths that can be expanded, each with the kind of resource there."""

_PART_OF_A_PRICE = "part of a price"


def check_paths(paths: Sequence[str], known: Expansions, *, is_list: bool) -> list[str]:
    """Check which paths to expand, and return them within one resource."""
    checked = []
    for path in paths:
        inner = path
        if is_list:
            prefix, _, inner = path.partition(".")
            if prefix != ITEM:
                raise _no_such(path)
        if path.count(".") >= _DEPTH_MAX:
            raise InvalidRequestError(
                f"You cannot expand more than {_DEPTH_MAX} levels of a property"
                f" ({path[:100]}).",
                param="expand",
            )
        if inner not in known:
            raise _no_such(path)
        checked.append(inner)
    return checked


def expand(m: Metering, body: Body, paths: Sequence[str], known: Expansions) -> None:
    """Put resources in the place of their ids, and parts where they belong."""
    for path in paths:
        *steps, last = path.split(".")
        for node in _nodes(body, steps):
            if known[path] == _PART_OF_A_PRICE:
                node.update(_part_of_price(m, node["id"], last))
            elif isinstance(node.get(last), str):
                node[last] = _resource(m, known[path], node[last])


def _nodes(body: object, steps: Sequence[str]) -> list[Body]:
    """Return the objects that steps lead to from a body, through each one of a list."""
    if isinstance(body, list):
        return [node for each in body for node in _nodes(each, steps)]
    if not isinstance(body, dict):
        return []
    return _nodes(body.get(steps[0]), steps[1:]) if steps else [body]


_RETRIEVED: Mapping[str, Callable[[Metering], Callable[[str], Any]]] = {
    "meter": lambda m: m.meters.retrieve,
    "credit_grant": lambda m: m.credit_grants.retrieve,
    "product": lambda m: m.products.retrieve,
    "test_clock": lambda m: m.test_clocks.retrieve,
    "feature": lambda m: m.entitlements.features.retrieve,
    "price": lambda m: m.prices.retrieve,
}
"""What retrieves a resource, by its kind."""


def _resource(m: Metering, kind: str, resource_id: str) -> Body | str:
    if kind == "customer":
        return _customer(m, resource_id)
    return body_of(_RETRIEVED[kind](m)(resource_id))


def _customer(m: Metering, customer: str) -> Body | str:
    """Return a customer; its name, where the library was given one of its caller's."""
    try:
        return body_of(m.customers.retrieve(customer))
    except ResourceMissingError:
        return customer


def _part_of_price(m: Metering, price_id: str, name: str) -> Body:
    """Return a part of a price that its body has only where it is asked for."""
    return part_of(m.prices.retrieve(price_id), name)


def _no_such(path: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"This property cannot be expanded ({path[:100]}).", param="expand"
    )
