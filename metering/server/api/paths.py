"""Paths: what is served at each, which may have one name in braces."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

Served = TypeVar("Served")


class Paths(Generic[Served]):
    """Routes by method and path.

    Args:
        served: method, path and what is served there. A path may hold one name in
            braces, as ``/v1/billing/meters/{id}``, that stands for one segment.
    """

    def __init__(self, served: Iterable[tuple[str, str, Served]]) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._served: dict[tuple[str, str], Served] = {}
        self._slashes_max = 0
        for method, path, each in served:
            before, brace, rest = path.partition("{")
            name, _, after = rest.partition("}")
            assert "{" not in after, "a path has one name at most"
            key = (method, f"{before}{brace}{after}")
            self._served[key] = each
            self._names[key] = name
            self._slashes_max = max(self._slashes_max, path.count("/"))

    def find(self, method: str, path: str) -> tuple[Served | None, Mapping[str, str]]:
        """Return what is served at a path, and what stands there for its name."""
        found = self._served.get((method, path))
        if found is not None and "{" not in path:
            return found, {}
        # Each segment is tried, so thousands of them would take minutes.
        if path.count("/") > self._slashes_max:
            return None, {}
        segments = path.split("/")
        for at in range(len(segments) - 1, 0, -1):
            if not segments[at]:
                continue
            key = (method, "/".join([*segments[:at], "{", *segments[at + 1 :]]))
            found = self._served.get(key)
            if found is not None:
                return found, {self._names[key]: segments[at]}
        return None, {}
