"""Forms as Stripe's clients write them, whatever is in them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode


def form_of(given: Mapping[str, Any]) -> bytes:
    """Nest by brackets, lists by numbers."""
    found = [each for name in given for each in _pairs(name, given[name])]
    return urlencode(found, errors="surrogatepass").encode()


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _pairs(f"{name}[{key}]", each)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _pairs(f"{name}[{number}]", each)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
