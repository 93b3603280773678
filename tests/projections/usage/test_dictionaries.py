"""Words have the codes of their order, and the same words come together."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from projections.kernels.usage.dictionaries import (
    WORDS,
    code_of,
    merged_words,
    sorted_words,
)
from tests.ledger.usage_rows import TEXTS

LISTS = st.lists(TEXTS | st.sampled_from(["a", "b", "ä", "z", "🚕", "\uffff"]))


@given(st.lists(TEXTS, min_size=1, unique=True), st.data())
def test_words_in_use_are_put_into_byte_order(
    words: list[str], data: st.DataObject
) -> None:
    codes = np.array(data.draw(st.lists(st.integers(0, len(words) - 1))), np.int32)
    used = {words[code] for code in codes}

    ordered, ranks = sorted_words(pa.array(words, pa.string()), codes)

    assert ordered.to_pylist() == sorted(used, key=str.encode)
    assert [ordered[rank].as_py() for rank in ranks[codes]] == [
        words[code] for code in codes
    ]


@given(st.lists(LISTS, min_size=1, max_size=5))
def test_words_of_several_parts_come_together(parts: list[list[str]]) -> None:
    parts = [list(dict.fromkeys(part)) for part in parts]

    together, ranks = merged_words([pa.array(part, WORDS) for part in parts])

    assert together.to_pylist() == sorted(
        {word for part in parts for word in part}, key=str.encode
    )
    assert [[together[code].as_py() for code in codes] for codes in ranks] == parts


@given(LISTS, TEXTS | st.sampled_from(["a", "aa", "ä", "\uffff"]))
def test_a_word_is_found_where_it_is(words: list[str], word: str) -> None:
    ordered = sorted(set(words), key=str.encode)
    encoded = pa.array(ordered, WORDS)

    for known in ordered:
        assert code_of(encoded, known) == ordered.index(known)
    assert code_of(encoded, word) == (ordered.index(word) if word in ordered else None)
