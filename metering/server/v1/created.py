"""When something was created, as v1 bounds it: by whole seconds, as they are shown."""

from collections.abc import Callable, Mapping
from typing import Any

from metering.arguments.pages import ListObject
from metering.connection import Metering
from metering.server.v1.resources import Method

_FROM = (("gte", 0), ("gt", 1))
_TO = (("lt", 0), ("lte", 1))


def listing_by_creation(method: Method) -> Method:
    """Return a method that lists resources, whose `created` comes in whole seconds."""

    def of(m: Metering) -> Callable[..., ListObject[Any]]:
        def list_created(**given: Any) -> ListObject[Any]:
            if "created" in given:
                given["created"] = _bounds(given["created"])
            listed: ListObject[Any] = method(m)(**given)
            return listed

        return list_created

    return of


def _bounds(created: int | Mapping[str, int]) -> dict[str, int]:
    """Bound creation times by whole seconds: 1.7 counts as 1."""
    if isinstance(created, int):
        return {"gte": created, "lt": created + 1}
    # From what is inclusive, and to what is not.
    least = [created[name] + more for name, more in _FROM if name in created]
    most = [created[name] + more for name, more in _TO if name in created]
    bounds = {}
    if least:
        bounds["gte"] = max(least)
    if most:
        bounds["lt"] = min(most)
    return bounds
