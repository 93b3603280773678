"""Own what Hypothesis draws for the ledger: rows of any text, time and quantity."""

from decimal import Decimal

from hypothesis import strategies as st

from ledger.usage.columns import UsageRow
from ledger.usage.quantities import FRACTION_DIGITS, STORED_INTEGER_DIGITS

UNITS_AT_MOST = 10 ** (STORED_INTEGER_DIGITS + FRACTION_DIGITS) - 1
# Half a surrogate pair and NUL are refused before anything reaches the ledger.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
WORDS = st.sampled_from(["tokens", "requests", "größe", "🚕", "'; --"]) | TEXTS.filter(
    bool
)
TIMESTAMPS = st.integers(0, 4_102_444_800_000_000)
PAYLOADS = st.dictionaries(TEXTS, TEXTS, max_size=3).map(
    lambda payload: tuple(sorted(payload.items(), key=lambda each: each[0].encode()))
)


def units() -> st.SearchStrategy[int]:
    edges = [0, 1, -1, 2**32, -(2**32), 2**63, 2**64, -(2**64), UNITS_AT_MOST]
    return st.integers(-UNITS_AT_MOST, UNITS_AT_MOST) | st.sampled_from(
        [*edges, -UNITS_AT_MOST]
    )


def decimal_of(count: int) -> Decimal:
    """The decimal of a count of 10**-12, with 12 fraction digits."""
    digits = tuple(map(int, str(abs(count))))
    return Decimal((int(count < 0), digits, -FRACTION_DIGITS))


def usage_rows_of(
    identifiers: st.SearchStrategy[str] = WORDS,
) -> st.SearchStrategy[UsageRow]:
    return st.builds(
        UsageRow,
        event_name=WORDS,
        identifier=identifiers,
        customer=WORDS,
        timestamp=TIMESTAMPS,
        value=st.none() | units().map(decimal_of),
        payload=PAYLOADS,
    )


def batches(size_min: int = 1, size_max: int = 12) -> st.SearchStrategy[list[UsageRow]]:
    return st.lists(usage_rows_of(), min_size=size_min, max_size=size_max)
