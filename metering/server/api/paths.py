"""Paths: what is served at each, which may have names in braces."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Served = TypeVar("Served")


class Paths(Generic[Served]):
    """Routes by method and path.

    Args:
        served: method, path and what is served there. A path may hold names in
            braces, as ``/v1/billing/meters/{id}``, each of which stands for one segment.
    """

    def __init__(self, served: Iterable[tuple[str, str, Served]]) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._served: dict[tuple[str, str], Served] = {}
        # Few paths have several names; each of these is tried.
        self._nested: dict[tuple[str, int], list[tuple[list[str], Served]]] = {}
        self._slashes_max = 0
        for method, path, each in served:
            self._slashes_max = max(self._slashes_max, path.count("/"))
            if path.count("{") > 1:
                parts = path.split("/")
                key_of_nested = (method, len(parts))
                self._nested.setdefault(key_of_nested, []).append((parts, each))
                continue
            before, brace, rest = path.partition("{")
            name, _, after = rest.partition("}")
            key = (method, f"{before}{brace}{after}")
            self._served[key] = each
            self._names[key] = name

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
        for parts, each in self._nested.get((method, len(segments)), ()):
            names = _standing_for(parts, segments)
            if names is not None:
                return each, names
        return None, {}


def _standing_for(
    parts: Sequence[str], segments: Sequence[str]
) -> Mapping[str, str] | None:
    """Return what stands for the names of a path; None where it is another path."""
    names = {}
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{") and segment:
            names[part[1:-1]] = segment
        elif part != segment:
            return None
    return names
