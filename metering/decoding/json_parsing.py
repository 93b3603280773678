"""JSON that others wrote, parsed so that it has one meaning and keeps every digit.

An object that names a key twice means one thing to one parser and another to the next,
so it is refused, as are half a surrogate pair, which no database stores, and nesting
without bound. No other parser reads JSON that comes from outside; a faster decoder may
stand in front of this one where it leaves to it whatever it cannot vouch for.

Source: RFC 8259, and RFC 7493, section 2 (I-JSON).
"""

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from metering.decoding.encodings import UTF_16, is_utf_16
from metering.errors import shown

DEPTH_MAX = 64
"""How deep objects and lists may lie in each other."""
LONGEST_PATH = 100
"""How much of a path is kept. A long key would be copied for each value below it."""
_BYTE_ORDER_MARK = "\ufeff"


class JsonInvalidError(ValueError):
    """A text is no JSON that can be taken.

    Attributes:
        code: of the refusal, where the caller has none that says more.
        path: of the value at fault, as forms write it; None where it has none.
    """

    code: str | None = None

    def __init__(self, reason: str, path: str | None = None) -> None:
        super().__init__(reason)
        self.path = path


class HalfPairError(JsonInvalidError):
    """A string has half a surrogate pair."""

    code = "invalid_characters"


class _RepeatedKeyError(Exception):
    """An object names a key twice, nobody knows where."""


class _RepeatingObject(dict[str, object]):
    """An object that names a key twice."""

    key: str


def parse_json(text: str | bytes) -> object:
    """Parse JSON: numbers with a fraction or an exponent are Decimals.

    Args:
        text: in UTF-8 where it is bytes; a byte order mark is skipped.

    Raises:
        JsonInvalidError: it is no JSON, names a key twice, is nested too deeply, or has
            half a surrogate pair or a number that is too long.
    """
    found, is_suspect = _parsed(text)
    if is_suspect:
        _check(found, "", DEPTH_MAX)
    return found


def parse_json_list(text: str | bytes) -> Sequence[object]:
    """Parse a list, each element as `parse_json` would.

    Returns:
        The elements; an error stands for one that cannot be taken.

    Raises:
        JsonInvalidError: the text is no JSON, or no list.
    """
    found, is_suspect = _parsed(text)
    if not isinstance(found, list):
        raise JsonInvalidError("it is not a list")
    return list(map(_checked, found)) if is_suspect else found


def _parsed(text: str | bytes) -> tuple[object, bool]:
    """Parse a text, and return whether it may break a rule that parsing does not see."""
    decoded = _decoded(text) if isinstance(text, bytes) else text
    decoded = decoded.removeprefix(_BYTE_ORDER_MARK)
    try:
        try:
            found = _DECODER.decode(decoded)
        except _RepeatedKeyError:
            return _MARKING_DECODER.decode(decoded), True
    except JsonInvalidError:
        raise
    except json.JSONDecodeError as error:
        raise JsonInvalidError(str(error)) from error
    except RecursionError as error:
        raise _too_deep() from error
    except (InvalidOperation, ValueError) as error:
        raise JsonInvalidError("a number or its exponent is too long") from error
    # Few texts can be deep or have half a pair, and to look at each value takes as long
    # as to parse it.
    may_be_deep = decoded.count("{") + decoded.count("[") > DEPTH_MAX
    return found, may_be_deep or "\\ud" in decoded or "\\uD" in decoded


def _decoded(text: bytes) -> str:
    if is_utf_16(text):
        raise JsonInvalidError(UTF_16)
    try:
        # Left as bytes, their encoding would be guessed.
        return text.decode()
    except UnicodeDecodeError as error:
        raise JsonInvalidError(f"byte {error.start} is no UTF-8") from error


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise _RepeatedKeyError
    return mapping


def _marked_object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) == len(pairs):
        return mapping
    repeating = _RepeatingObject(mapping)
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            repeating.key = name
            break
        names.add(name)
    return repeating


def _refuse_constant(name: str) -> object:
    raise JsonInvalidError(f"{name} is not a number")


def _checked(value: object) -> object:
    try:
        _check(value, "", DEPTH_MAX)
    except JsonInvalidError as error:
        return error
    return value


def _check(value: object, path: str, depth: int) -> None:
    match value:
        case str():
            _check_string(value, path)
        case dict():
            _check_object(value, path, depth)
        case list():
            if not depth:
                raise _too_deep()
            for at, each in enumerate(value):
                _check(each, f"{path}[{at}]"[:LONGEST_PATH], depth - 1)
        case _:
            pass


def _check_object(value: dict[str, object], path: str, depth: int) -> None:
    if not depth:
        raise _too_deep()
    if isinstance(value, _RepeatingObject):
        place = path or "an object"
        raise JsonInvalidError(f"{place} names the key {shown(value.key)} twice")
    for name, each in value.items():
        _check_string(name, path)
        inner = f"{path}[{name}]" if path else name
        _check(each, inner[:LONGEST_PATH], depth - 1)


def _check_string(value: str, path: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        place = f"a string in {path}" if path else "a string"
        raise HalfPairError(
            f"{place} has half a surrogate pair: {shown(value)}", path or None
        ) from error


def _too_deep() -> JsonInvalidError:
    return JsonInvalidError(f"it is nested more than {DEPTH_MAX} levels deep")


_DECODER, _MARKING_DECODER = (
    json.JSONDecoder(
        parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=hook
    )
    for hook in (_object, _marked_object)
)
