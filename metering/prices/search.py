"""Search: what a query in Stripe's search query language finds.

A clause is a field, ``:`` for equal or ``~`` for a part of a string, and a value; ``-``
before it negates it. Clauses are joined by AND, as by a space, or by OR, and never by
both. Letters compare without their case. ``null`` is a value that is not there.

Fields are read from what is found, so nothing that was recorded is missing from a search.
Source: https://docs.stripe.com/search
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from metering.arguments.pages import LIMIT, ListedResource, ListObject, PageLimit
from metering.arguments.strings import Id
from metering.errors import InvalidRequestError
from metering.prices.resources import Price, Product
from metering.prices.shown import price_resource, product_resource
from metering.prices.writing import price_of, product_of
from metering.store.engine import Engine
from projections.kernels.prices import PriceDefinition, ProductDefinition
from projections.prices.queries import PriceFilter, PriceQueries, ProductFilter
from projections.rows import Page

QUERY_MAX = 5_000
CLAUSES_MAX = 10
_PART_MIN = 3
_READ_AT_ONCE = 1_000
_METADATA = "metadata"
_CLAUSE = re.compile(
    r"""(?P<minus>-)?(?P<field>[a-z_]+)
        (?:\[(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\])?
        (?P<operator>:|~|>=|<=|>|<)
        (?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'\\]+)""",
    re.VERBOSE,
)
_JOINT = re.compile(r"\s+(?:(?P<word>AND|OR)\s+)?", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")

SoughtT = TypeVar("SoughtT", ProductDefinition, PriceDefinition)
SearchFields = Mapping[str, Callable[[SoughtT], str | None]]
"""What is searched for, by the names of fields; each is read as a string."""


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for.

    Attributes:
        query: clauses, such as active:"true" AND metadata["team"]:"ai".
        limit: how many to return.
        page: of the search before, where it said that there are more.
    """

    query: Annotated[str, Meta(min_length=1, max_length=QUERY_MAX)]
    limit: PageLimit | None = LIMIT
    page: Id | None = None


def _flag(value: object) -> str | None:
    return None if value is None else str(value).lower()


PRODUCT_FIELDS: SearchFields[ProductDefinition] = {
    "active": lambda product: _flag(product.active),
    "description": lambda product: product.description,
    "name": lambda product: product.name,
    "shippable": lambda product: _flag(product.shippable),
    "type": lambda product: product.type.value,
    "url": lambda product: product.url,
}
PRICE_FIELDS: SearchFields[PriceDefinition] = {
    "active": lambda price: _flag(price.active),
    "currency": lambda price: price.currency,
    "lookup_key": lambda price: price.lookup_key,
    "product": lambda price: price.product_id,
    "type": lambda price: "recurring" if price.recurring else "one_time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """What a field must be, or not.

    Attributes:
        key: of the metadata; None of other fields.
        is_part: whether the value may be a part of the field's.
        value: without case; None is that there is none.
    """

    field: str
    key: str | None
    is_negated: bool
    is_part: bool
    value: str | None

    def is_met(self, text: str | None) -> bool:
        """Whether what a field is meets the clause."""
        if self.value is None or text is None:
            is_it = self.value is None and text is None
        elif self.is_part:
            is_it = self.value in text.casefold()
        else:
            is_it = self.value == text.casefold()
        return is_it is not self.is_negated


@dataclass(frozen=True, slots=True)
class _Query(Generic[SoughtT]):
    """Clauses, of which all are to be met, or any."""

    fields: SearchFields[SoughtT]
    clauses: Sequence[_Clause]
    is_any: bool

    def finds(self, candidate: SoughtT) -> bool:
        """Whether something is what the query asks for."""
        met = (
            each.is_met(
                self.fields[each.field](candidate)
                if each.key is None
                else candidate.metadata.get(each.key)
            )
            for each in self.clauses
        )
        return any(met) if self.is_any else all(met)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedKind(Generic[SoughtT, ListedResource]):
    """What can be searched.

    Attributes:
        name: in the plural.
        fields: the fields, beside metadata.
        read: reads a page of all there are.
        find: finds one by its id, or refuses the page that names it.
        show: returns it as callers get it.
    """

    name: str
    fields: SearchFields[SoughtT]
    read: Callable[[PriceQueries, Page], Sequence[SoughtT]]
    find: Callable[[PriceQueries, str], SoughtT]
    show: Callable[..., ListedResource]


PRODUCTS: SearchedKind[ProductDefinition, Product] = SearchedKind(
    name="products",
    fields=PRODUCT_FIELDS,
    read=lambda seen, page: seen.products(ProductFilter(), page),
    find=lambda seen, product_id: product_of(seen, product_id, "page"),
    show=product_resource,
)
PRICES: SearchedKind[PriceDefinition, Price] = SearchedKind(
    name="prices",
    fields=PRICE_FIELDS,
    read=lambda seen, page: seen.prices(PriceFilter(), page),
    find=lambda seen, price_id: price_of(seen, price_id, "page"),
    show=price_resource,
)


def search_page(
    engine: Engine, kind: SearchedKind[SoughtT, ListedResource], asked: SearchRequest
) -> ListObject[ListedResource]:
    """Return a page of what a query finds, the newest first.

    Raises:
        ResourceMissingError: the page is the id of nothing.
        InvalidRequestError: the query cannot be read.
    """
    assert asked.limit is not None, "it is read by pages"
    query = _query(asked.query, kind)
    found: list[SoughtT] = []
    with engine.log.read() as connection:
        seen = PriceQueries(connection)
        before = None if asked.page is None else kind.find(seen, asked.page).position
        while len(found) <= asked.limit:
            candidates = kind.read(seen, Page(limit=_READ_AT_ONCE, before=before))
            found += [each for each in candidates if query.finds(each)]
            if len(candidates) < _READ_AT_ONCE:
                break
            before = candidates[-1].position
    livemode = engine.settings.livemode
    data = [kind.show(each, livemode=livemode) for each in found[: asked.limit]]

    def next_page() -> ListObject[ListedResource]:
        behind: str = data[-1].id  # type: ignore[attr-defined]  # what is found has one
        return search_page(engine, kind, msgspec.structs.replace(asked, page=behind))

    has_more = len(found) > asked.limit
    return ListObject(data, has_more=has_more, next_page=next_page)


def _query(query: str, kind: SearchedKind[SoughtT, ListedResource]) -> _Query[SoughtT]:
    """Read a query.

    Raises:
        InvalidRequestError: it cannot be read, or asks for what cannot be asked.
    """
    clauses, words = [], set[str]()
    for joint, found in _parts(query.strip()):
        if joint is not None:
            words.add((joint["word"] or "and").casefold())
        clauses.append(_clause(found, kind.fields, kind.name))
    if len(words) > 1:
        raise _refused("AND and OR cannot be in one query; give one of them")
    if len(clauses) > CLAUSES_MAX:
        raise _refused(f"it has {len(clauses)} clauses; give at most {CLAUSES_MAX}")
    return _Query(kind.fields, clauses, is_any="or" in words)


def _parts(query: str) -> Iterator[tuple[re.Match[str] | None, re.Match[str]]]:
    """Yield the clauses of a query, each with what joins it to the one before."""
    at, joint = 0, None
    while True:
        found = _CLAUSE.match(query, at)
        if found is None:
            raise _unreadable()
        yield joint, found
        at = found.end()
        if at == len(query):
            return
        joint = _JOINT.match(query, at)
        if joint is None:
            raise _unreadable()
        at = joint.end()


def _clause(found: re.Match[str], fields: SearchFields[SoughtT], kind: str) -> _Clause:
    field, key, operator = found["field"], found["key"], found["operator"]
    if field not in fields and field != _METADATA:
        names = ", ".join([*fields, _METADATA])
        raise InvalidRequestError(
            f"Field `{field[:60]}` is an unsupported search field for resource"
            f" `{kind}`; search for one of {names}",
            param="query",
        )
    if (key is None) is (field == _METADATA):
        raise _unreadable()
    if operator not in {":", "~"}:
        raise _refused(f"{field} is no number, and has no operator {operator}")
    value = None if found["value"] == "null" else _unquoted(found["value"]).casefold()
    is_part = operator == "~"
    if is_part and (value is None or len(value) < _PART_MIN):
        reason = f"a part of {field} to search for has at least {_PART_MIN} characters"
        raise _refused(reason)
    return _Clause(
        field=field,
        key=None if key is None else _unquoted(key),
        is_negated=found["minus"] is not None,
        is_part=is_part,
        value=value,
    )


def _unquoted(text: str) -> str:
    if text[0] not in "\"'":
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


def _unreadable() -> InvalidRequestError:
    return InvalidRequestError(
        "We were unable to parse your search query. Please try using the format"
        ' `metadata["key"]:"value"` to search for metadata or key:"value" to search for'
        " other fields.",
        param="query",
    )


def _refused(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid query: {reason}", param="query")
