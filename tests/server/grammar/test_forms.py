"""Forms are decoded as Stripe's libraries write them, and nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering.server.grammar.forms import PAIRS_MAX, Tree, decode_form


@pytest.mark.parametrize(
    ("form", "tree"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a[b][c]=1&a[d]=2", {"a": {"b": {"c": "1"}, "d": "2"}}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        (b"a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
        (b"a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        (
            b"a[][b]=1&a[][c]=2&a[][b]=3",
            {"a": {"0": {"b": "1", "c": "2"}, "1": {"b": "3"}}},
        ),
        (b"a=x+y%20z%2B", {"a": "x y z+"}),
        ("a=ä".encode(), {"a": "ä"}),
        (b"a=%C3%A4", {"a": "ä"}),
        (b"a[b=1", {"a[b": "1"}),
        (b"=1", {"": "1"}),
    ],
)
def test_a_form_is_decoded(form: bytes, tree: Tree) -> None:
    assert decode_form(form) == tree


@pytest.mark.parametrize(
    "form",
    [
        b"a=1&a=2",
        b"a=1&a[b]=2",
        b"a[b]=1&a=2",
        b"a[b]=1&a[b]=1",
        b"a[0]=1&a[0]=2",
        b"a=%FF",
        b"a=\xff",
        b"a[b][c][d][e][f][g][h][i]=1",
        b"&".join(b"a%d=1" % at for at in range(PAIRS_MAX + 1)),
    ],
)
def test_a_form_that_could_mean_two_things_is_refused(form: bytes) -> None:
    with pytest.raises(metering.InvalidRequestError):
        decode_form(form)


@given(st.binary(max_size=60) | st.text("ab[]=&%0", max_size=60).map(str.encode))
def test_any_bytes_are_decoded_or_refused(form: bytes) -> None:
    try:
        tree = decode_form(form)
    except metering.InvalidRequestError:
        return

    assert isinstance(tree, dict)
