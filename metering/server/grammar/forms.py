"""Forms: a request's body or query as nested keys and strings.

``a[b]=1`` is a key in a key. Lists come as Stripe's libraries write them: indexed,
``a[0][b]=1``, or with empty brackets, ``a[][b]=1``, where a key that is there already
begins the next element. Whether keys are those of an object or of a list is for the
route to say.
Source: https://docs.stripe.com/api (form-encoded request bodies).
"""

import re
from urllib.parse import parse_qsl

from metering.errors import InvalidRequestError

Tree = dict[str, "str | Tree"]
"""Keys, each with a string or with keys in turn; of a list ``0``, ``1``, …"""


PAIRS_MAX = 1_000
_DEPTH_MAX = 8

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def decode_form(text: bytes) -> Tree:
    """Decode a form.

    Raises:
        InvalidRequestError: it is not UTF-8, is too long or too deep, or has a key
            twice.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PAIRS_MAX,
        )
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            "Invalid request: its parameters are not in UTF-8",
            code="invalid_characters",
        ) from error
    except ValueError as error:
        raise InvalidRequestError(
            f"Invalid request: more than {PAIRS_MAX} parameters"
        ) from error
    tree: Tree = {}
    for key, value in pairs:
        _put(tree, key, value)
    return tree


def given_twice(key: str) -> InvalidRequestError:
    """Return the refusal of a parameter that a request has twice."""
    return InvalidRequestError(
        f"Received parameter twice: {key[:60]}",
        code="parameter_invalid",
        param=key[:100],
    )


def _put(tree: Tree, key: str, value: str) -> None:
    if "[" not in key:
        if key in tree:
            raise given_twice(key)
        tree[key] = value
        return
    parts = _KEY.fullmatch(key)
    # A key that is no path is one of its own, which no route knows.
    path = [key] if parts is None else [parts[1], *_BRACKETS.findall(parts[2])]
    if len(path) > _DEPTH_MAX:
        raise InvalidRequestError(f"Invalid request: {key[:60]} is nested too deeply")
    node = tree
    for at, name in enumerate(path):
        rest = path[at + 1 :]
        step = name if name or at == 0 else _element(node, rest)
        if not rest:
            if step in node:
                raise given_twice(key)
            node[step] = value
            return
        child = node.setdefault(step, {})
        if isinstance(child, str):
            raise given_twice(key)
        node = child


def _element(node: Tree, rest: list[str]) -> str:
    """Return the number of the list's element that empty brackets mean."""
    if node and rest:
        last = str(len(node) - 1)
        element = node.get(last)
        if isinstance(element, dict) and not _holds(element, rest):
            return last
    return str(len(node))


def _holds(element: Tree, path: list[str]) -> bool:
    node: str | Tree = element
    for name in path:
        # A list in an element goes on for as long as the element does.
        if not name:
            return False
        if isinstance(node, str) or name not in node:
            return False
        node = node[name]
    return True
