"""Schemas: requests as msgspec Structs, from which every door takes its limits.

A request is a Struct in the folder of its noun (`metering.alerts.requests`), what is
nested in it a TypedDict, which callers of the library import too. Limits are
`msgspec.Meta`. The library's methods, forms, JSON bodies and the OpenAPI document read
the same Struct, and options of the command line its fields; msgspec's own decoder is not
used, since its errors say in English only which field was wrong and why, and Stripe's
clients need codes and paths. What its docstring says of its attributes is the help of
options and the description of parameters.

How annotations are read:

    X | None = None             may be left out
    X | UnsetType | None        may be left out, and None or "" takes the value away
    X = value                   may be left out
    str                         an id that is looked up
    Annotated[str, Meta(…)]     a string of bounded length, which the store can hold
    Annotated[str, Meta(…), f]  f(value, path) refuses more, and makes it canonical
    Annotated[…, f, g]          g does for the forms of v1 what f does for callers
    Time                        spelled as the dialect spells times
    Time | Literal              a time, or a word in its place
    Annotated[Decimal, Meta(…)] exact to 12 fraction digits, between bounds
    Annotated[int, …] | Literal a whole number, or a word in its place
    A | TypedDict, A | list     the one or the other, by what was given
"""

import enum
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, UnsetType
from msgspec.structs import replace

from metering.arguments.kinds import (
    AnyTimeKind,
    BooleanKind,
    ChoiceKind,
    DecimalKind,
    EitherKind,
    Fields,
    IdKind,
    IntegerKind,
    IntegerOrWordKind,
    Kind,
    ListKind,
    MappingKind,
    ObjectKind,
    RequestField,
    StringKind,
    TimestampKind,
    read_fields,
    within,
)
from metering.arguments.refusals import missing
from metering.arguments.strings import CustomerId
from metering.arguments.times import LATEST_SECONDS

AskedStruct = TypeVar("AskedStruct", bound=msgspec.Struct)

ELEMENTS_MAX = 10_000
"""Of a list without a limit of its own, over HTTP."""
LONGEST_SPELLED = 5_000
_LISTS = {Collection, Iterable, Sequence}
_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n     +.+)*)", re.MULTILINE)


StringCheck = Callable[[str, str], str]
"""Refuses a string, given its path, or returns it in its canonical form."""


class Spelling(enum.Enum):
    """How the values of a request are spelled."""

    PYTHON = "python"
    """Python's own values: aware datetimes, whole seconds or ISO 8601."""

    V1 = "v1"
    """A form's strings: times in whole seconds."""

    V2 = "v2"
    """JSON's strings: times in RFC 3339."""

    EXTENSION = "extension"
    """Strings, or whole numbers in JSON: times in whole seconds or RFC 3339."""


def checked(schema: type[AskedStruct], /, **given: object) -> AskedStruct:
    """Check the arguments of a call.

    Raises:
        InvalidRequestError: a field is missing or malformed.
    """
    return schema(**read_fields(fields_of(schema), given))


def checked_value(hint: Any, value: object, param: str) -> Any:
    """Check one argument by the annotation of a field.

    Raises:
        InvalidRequestError: it is missing or malformed.
    """
    if value is None:
        raise missing(param)
    return (
        _SchemaReading(Spelling.PYTHON, frozenset())
        .kind(hint, param)
        .read(value, param)
    )


def checked_customer(customer: object) -> str:
    """Check the name of a customer.

    Raises:
        InvalidRequestError: it is missing or malformed.
    """
    found: str = checked_value(CustomerId, customer, "customer")
    return found


@cache
def fields_of(
    schema: type,
    spelling: Spelling = Spelling.PYTHON,
    needed: frozenset[str] = frozenset(),
) -> Fields:
    """Return the fields of a request, in their order.

    Args:
        schema: a Struct or a TypedDict.
        spelling: how values come.
        needed: paths that this door requires though the library does not.
    """
    return _SchemaReading(spelling, needed).fields(schema, "")


def field_at(schema: type, path: str) -> RequestField:
    """Return a field of a request, or of an object within it, by its path."""
    name, *inner = path.replace("]", "").split("[")
    field = fields_of(schema)[name]
    for each in inner:
        assert isinstance(field.kind, ObjectKind), "a path leads through objects"
        field = field.kind.fields[each]
    return field


class _SchemaReading:
    """Reads annotations as kinds."""

    def __init__(self, spelling: Spelling, needed: frozenset[str]) -> None:
        self._spelling = spelling
        self._needed = needed
        self._spelled = spelling is not Spelling.PYTHON

    def fields(self, schema: type, path: str) -> dict[str, RequestField]:
        is_of_dict = is_typeddict(schema)
        defaults: dict[str, object] = {}
        if is_of_dict:
            hints = get_type_hints(schema, include_extras=True)
            required: frozenset[str] = schema.__required_keys__  # type: ignore[attr-defined]  # it is a TypedDict
        else:
            members = msgspec.structs.fields(schema)
            hints = {each.name: each.type for each in members}
            required = frozenset(each.name for each in members if each.required)
            defaults = {each.name: each.default for each in members}
        described = _descriptions(schema)
        return {
            name: replace(
                self._field(
                    hint,
                    within(path, name),
                    is_required=name in required,
                    is_of_dict=is_of_dict,
                ),
                default=_value_or_none(defaults.get(name)),
                description=described.get(name, ""),
            )
            for name, hint in hints.items()
        }

    def kind(self, hint: Any, path: str) -> Kind:
        return self._kind(_values(_alternatives(hint)), path)

    def _field(
        self, hint: Any, path: str, *, is_required: bool, is_of_dict: bool
    ) -> RequestField:
        if get_origin(hint) in {Required, NotRequired}:
            [hint] = get_args(hint)
        types = _alternatives(hint)
        takes_none = any(each is NoneType for each in types)
        takes_unset = any(each is UnsetType for each in types)
        return RequestField(
            kind=self._kind(_values(types), path),
            is_required=is_required or path in self._needed,
            is_nullable=takes_none and takes_unset,
            skips_none=takes_none or is_of_dict,
        )

    def _kind(self, types: Sequence[Any], path: str) -> Kind:
        """Read alternatives, of which times are the only ones that come as three."""
        if any(each is datetime for each in types):
            return self._kind_of_time(types, path)
        words = [each for each in types if get_origin(each) is Literal]
        if len(types) > 1 and words:
            number = self._kind([each for each in types if each not in words], path)
            assert isinstance(number, IntegerKind), "a word stands in for a number"
            return IntegerOrWordKind(integer=number, words=get_args(words[0]))
        if len(types) > 1:
            single, nested = (self._kind([each], path) for each in types)
            return EitherKind(single=single, nested=nested)
        [hint] = types
        if get_origin(hint) is not Annotated:
            return self._one(hint, Meta(), (), path)
        meta, *checks = hint.__metadata__
        return self._one(hint.__origin__, meta, checks, path)

    def _kind_of_time(self, types: Sequence[Any], path: str) -> Kind:
        others = [
            each
            for each in types
            if each is not datetime and each is not int and each is not str
        ]
        time = self._time()
        if not others:
            return time
        if get_origin(others[0]) is not Literal:
            return EitherKind(single=time, nested=self._kind(others, path))
        if isinstance(time, IntegerKind):
            return IntegerOrWordKind(integer=time, words=get_args(others[0]))
        # Callers of the library give times as strings too: `instant` judges them.
        assert isinstance(time, AnyTimeKind), "forms alone have such words"
        return time

    def _one(
        self, hint: Any, meta: Meta, checks: Sequence[StringCheck], path: str
    ) -> Kind:
        spelled, origin = self._spelled, get_origin(hint)
        if hint is str:
            return self._string(meta, checks)
        if hint is int:
            least, most = _bound(meta.ge), _bound(meta.le)
            return IntegerKind(least=least, most=most, spelled=spelled)
        if hint is Decimal:
            least, most = _bound(meta.ge), _bound(meta.le)
            return DecimalKind(least=least, most=most, spelled=spelled)
        if hint is bool:
            return BooleanKind(spelled=spelled)
        if origin is Literal:
            return ChoiceKind(words=get_args(hint), spelled=spelled)
        return self._nested(hint, meta, path)

    def _nested(self, hint: Any, meta: Meta, path: str) -> Kind:
        if get_origin(hint) is Mapping:
            return self._mapping(hint, meta, path)
        if get_origin(hint) in _LISTS:
            [element] = get_args(hint)
            return ListKind(
                kind=self._kind(_alternatives(element), f"{path}[]"),
                least=meta.min_length or 0,
                most=meta.max_length or (ELEMENTS_MAX if self._spelled else None),
                spelled=self._spelled,
            )
        return ObjectKind(fields=self.fields(hint, path))

    def _string(self, meta: Meta, checks: Sequence[StringCheck]) -> Kind:
        if meta.max_length is None:
            return StringKind(most=LONGEST_SPELLED) if self._spelled else IdKind()
        return StringKind(
            least=meta.min_length or 0,
            most=meta.max_length,
            spelled=self._spelled,
            check=self._check(checks),
        )

    def _check(self, checks: Sequence[StringCheck]) -> StringCheck | None:
        """Return what judges a string here; one that is spelled is judged later too."""
        match self._spelling:
            case Spelling.PYTHON:
                return checks[0] if checks else None
            case Spelling.V1:
                return checks[1] if len(checks) > 1 else None
            case _:
                return None

    def _mapping(self, hint: Any, meta: Meta, path: str) -> Kind:
        key, value = get_args(hint)
        assert meta.max_length is not None, "a mapping of the caller's has bounds"
        types = _alternatives(value)
        return MappingKind(
            kind=self._kind(_values(types), f"{path}[]"),
            has_nulls=len(types) > len(_values(types)),
            key=StringKind(
                least=0 if self._spelled else 1,
                most=key.__metadata__[0].max_length,
                spelled=self._spelled,
            ),
            most=meta.max_length,
        )

    def _time(self) -> Kind:
        match self._spelling:
            case Spelling.PYTHON:
                return AnyTimeKind()
            case Spelling.V1:
                return IntegerKind(least=0, most=LATEST_SECONDS)
            case Spelling.V2:
                return TimestampKind(takes_seconds=False)
            case Spelling.EXTENSION:
                return TimestampKind(takes_seconds=True)


def _descriptions(schema: type) -> dict[str, str]:
    """Return what a schema's docstring says of its fields, and those of its bases."""
    found: dict[str, str] = {}
    for each in reversed(schema.__mro__):
        _, _, attributes = inspect.cleandoc(each.__doc__ or "").partition("Attributes:")
        for name, text in _ATTRIBUTE.findall(attributes):
            found[name] = text[0].upper() + " ".join(text[1:].split())
    return found


def _value_or_none(default: object) -> object:
    """Return the value that a field has by default."""
    return None if default in (NODEFAULT, UNSET) else default


def _alternatives(hint: Any) -> list[Any]:
    """Return the types of a union, or the one."""
    if get_origin(hint) in {Union, UnionType}:
        return list(get_args(hint))
    return [hint]


def _values(types: Sequence[Any]) -> list[Any]:
    """Return the alternatives that are values."""
    return [each for each in types if each is not NoneType and each is not UnsetType]


def _bound(value: float | None) -> int:
    assert value is not None, "a whole number has bounds"
    return int(value)
