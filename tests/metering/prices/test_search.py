"""Search: what a query finds, page by page, and which queries are refused."""

from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_prices import create_price, create_product

PRODUCTS: dict[str, dict[str, Any]] = {
    "a": {"name": "Input Tokens", "metadata": {"team": "AI", "k'y": 'v"1'}},
    "b": {"name": "Größe", "active": False, "url": "https://example.com/b"},
    "c": {"name": "Storage", "shippable": False, "type": "good", "description": "GB"},
}
FOUND = {
    'active:"true"': "ca",
    "active:'false'": "b",
    "-active:true": "b",
    'name:"input tokens"': "a",
    'name:"input"': "",
    'name~"TOK"': "a",
    "name~'GRÖSS'": "b",
    "-name~tokens": "cb",
    "metadata['team']:'ai'": "a",
    '-metadata["team"]:null': "a",
    'metadata["team"]:null': "cb",
    """metadata["k'y"]:"v\\"1" """: "a",
    "url:null": "ca",
    "shippable:false": "c",
    "shippable:null active:true": "a",
    "type:good or type:service": "cba",
    'active:true AND description:"gb"': "c",
    'url:"https://example.com/b" OR name:"storage" OR name:"x"': "cb",
}


@pytest.mark.parametrize("query", FOUND)
def test_a_query_finds_the_products_that_it_describes(
    store: metering.Metering, query: str
) -> None:
    for product_id, given in PRODUCTS.items():
        create_product(store, id=product_id, **given)

    found = store.products.search(query)

    assert "".join(each.id for each in found) == FOUND[query]


def test_prices_are_found_by_their_fields(connect: Connect) -> None:
    m = connect()
    first = create_price(m, lookup_key="tokens", recurring={"interval": "day"})
    second = create_price(m, currency="eur", metadata={"a": "1"})

    def found(query: str) -> list[str]:
        return [each.id for each in m.prices.search(query)]

    assert found(f'product:"{first.product}"') == [first.id]
    assert found('lookup_key:"TOKENS"') == found("type:recurring") == [first.id]
    assert found('currency:"EUR"') == found('metadata["a"]:"1"') == [second.id]
    assert found('type:"one_time"') == found("lookup_key:null") == [second.id]


def test_a_search_goes_on_where_its_page_ended(store: metering.Metering) -> None:
    names = [create_product(store, name=f"n{n % 3}").id for n in range(9)]
    wanted = [each for n, each in enumerate(names) if n % 3 != 1][::-1]

    pages = store.products.search('-name:"n1"', limit=2)

    assert [each.id for each in pages] == wanted[:2]
    assert pages.has_more
    assert [each.id for each in pages.auto_paging_iter()] == wanted
    last = store.products.search('-name:"n1"', limit=4, page=wanted[1])
    assert [each.id for each in last] == wanted[2:]
    assert not last.has_more


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (" ", "unable to parse"),
        ("tokens", "unable to parse"),
        ('name:"a', "unable to parse"),
        ('name:"a"name:"b"', "unable to parse"),
        ("name:a AND", "unable to parse"),
        ("metadata:a", "unable to parse"),
        ('name["a"]:b', "unable to parse"),
        ("price:1", "Field `price` is an unsupported search field"),
        ("name>1", "has no operator >"),
        ("name~ab", "at least 3 characters"),
        ("name~null", "at least 3 characters"),
        ("name:a name:b OR name:c", "cannot be in one query"),
        (" ".join(["name:a"] * 11), "it has 11 clauses"),
    ],
    ids=lambda each: each[:20],
)
def test_a_query_that_cannot_be_read_is_refused(
    store: metering.Metering, query: str, words: str
) -> None:
    with refused("parameter_invalid", "query", words):
        store.products.search(query)


def test_a_page_that_is_none_is_refused(store: metering.Metering) -> None:
    with refused("resource_missing", "page"):
        store.prices.search("active:true", page="price_x")
