"""Cells add up: in any order, any cut and any grouping, exactly."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from projections.kernels.usage.decimals import (
    decimals_of,
    gather_limbs,
    limbs_of,
    narrowed,
    number_of_limbs,
    numbers_of_words,
    widened,
    words_of,
    words_of_limbs,
)
from projections.kernels.usage.keys import (
    CUSTOMER_BITS,
    HOUR_BITS,
    METER_BITS,
    WINDOWED,
    customer_keys,
    customers_of,
    groups,
    meter_keys,
    meters_of,
    recode,
    series_key,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.usage.layers import Cells, Levels, cells_between
from tests.ledger.usage_rows import UNITS_AT_MOST, units
from tests.projections.cells import (
    PLAIN_KEYS,
    Entry,
    contents_of_lasts,
    contents_of_totals,
    decimals,
    entries,
    expected_lasts,
    expected_totals,
    lasts_of,
    totals_of,
)


class ComparableCells(Cells, Protocol):
    """Totals or lasts."""

    def equals(self, other: Self) -> bool: ...


CellsT = TypeVar("CellsT", bound=ComparableCells)
Fold = Callable[[Sequence[Entry]], CellsT]

kinds = pytest.mark.parametrize(
    ("kind", "fold"),
    [(Totals, totals_of), (Lasts, lasts_of)],
    ids=["totals", "lasts"],
)


def entry(count: int | None, *, position: int = 1, timestamp: int = 0) -> Entry:
    return Entry(key=0, units=count, timestamp=timestamp, position=position)


@given(entries())
@example([entry(UNITS_AT_MOST, position=at) for at in range(1, 20)])
@example([entry(-UNITS_AT_MOST, position=at) for at in range(1, 20)])
def test_totals_are_what_plain_sums_are(made: list[Entry]) -> None:
    assert contents_of_totals(totals_of(made)) == expected_totals(made)


@given(entries())
@example([entry(1, position=2, timestamp=5), entry(2, position=1, timestamp=5)])
@example([entry(1, position=2, timestamp=4), entry(2, position=1, timestamp=5)])
def test_lasts_are_what_looking_at_every_event_finds(made: list[Entry]) -> None:
    assert contents_of_lasts(lasts_of(made)) == expected_lasts(made)


@kinds
@given(data=st.data())
def test_any_cut_and_order_gives_equal_cells(
    kind: type[CellsT], fold: Fold[CellsT], data: st.DataObject
) -> None:
    """Folding in any pieces, in any order, equals folding at once."""
    made = data.draw(entries())
    shuffled = data.draw(st.permutations(made))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(made)), max_size=4)))
    edges = [0, *cuts, len(made)]
    pieces = [fold(shuffled[start:end]) for start, end in pairwise(edges)]
    event(f"{len(pieces)} pieces")

    assert kind.combine(pieces).equals(fold(made))


@kinds
@given(data=st.data())
def test_cells_add_up_in_any_grouping(
    kind: type[CellsT], fold: Fold[CellsT], data: st.DataObject
) -> None:
    """(a + b) + c equals a + (b + c), and nothing is neutral."""
    made = data.draw(entries())
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(made))] * 2)))
    a, b, c = fold(made[:first]), fold(made[first:second]), fold(made[second:])

    left = kind.combine([kind.combine([a, b]), c])
    right = kind.combine([a, kind.combine([b, c])])

    assert left.equals(right)
    assert kind.combine([a, kind.none()]).equals(a)
    assert kind.combine([a]).equals(a)


@kinds
@given(data=st.data())
def test_levels_hold_what_was_added_whatever_was_merged(
    kind: type[CellsT], fold: Fold[CellsT], data: st.DataObject
) -> None:
    made = data.draw(entries(40))
    levels = Levels(kind)
    low, high = sorted(data.draw(st.tuples(*[st.sampled_from([0, 1, 2, 3])] * 2)))

    for each in made:
        levels.add(fold([each]))

    within = [each for each in made if low <= each.key < high]
    layers = levels.layers()
    assert kind.combine([kind.none(), *layers]).equals(fold(made))
    assert cells_between(kind, layers, low, high).equals(fold(within))


@kinds
def test_hundreds_of_layers_are_merged(kind: type[CellsT], fold: Fold[CellsT]) -> None:
    made = [
        Entry(key=at % 50, units=at, timestamp=at % 7, position=at)
        for at in range(1, 601)
    ]
    levels = Levels(kind)

    for each in made:
        levels.add(fold([each]))

    assert len(levels.layers()) < 20
    assert kind.combine(levels.layers()).equals(fold(made))
    assert len(cells_between(kind, levels.layers(), 10, 20)) == 10


@kinds
def test_layers_stay_as_they_are_when_more_is_added(
    kind: type[CellsT], fold: Fold[CellsT]
) -> None:
    levels = Levels(kind)
    made = [entry(1, position=at) for at in range(1, 9)]
    for each in made[:7]:
        levels.add(fold([each]))

    before = levels.layers()
    levels.add(fold([made[7]]))

    assert kind.combine(before).equals(fold(made[:7]))


@kinds
def test_cells_differ_when_anything_does(
    kind: type[CellsT], fold: Fold[CellsT]
) -> None:
    same = fold([entry(1)])
    others = [
        [],
        [entry(2)],
        [entry(1), Entry(key=1, units=1, timestamp=0, position=2)],
        [Entry(key=1, units=1, timestamp=0, position=1)],
        [entry(1), entry(0, position=2)],
    ]

    assert same.equals(fold([entry(1)]))
    assert not any(same.equals(fold(other)) for other in others)


def test_lasts_differ_in_time_and_position() -> None:
    same = lasts_of([entry(1)])

    assert not same.equals(lasts_of([entry(1, timestamp=1)]))
    assert not same.equals(lasts_of([entry(1, position=2)]))


def test_equal_sums_are_equal_however_wide_their_parts_were() -> None:
    wide = 10**22

    together = totals_of([entry(-1), entry(wide, position=2)])
    apart = Totals.combine([totals_of([entry(-1)]), totals_of([entry(wide)])])
    cancelled = Totals.combine(
        [
            totals_of([entry(wide - 1, position=2)]),
            totals_of([entry(0, position=3)]),
        ]
    )

    assert together.equals(apart)
    assert apart.equals(cancelled)


@given(entries(), st.sampled_from(PLAIN_KEYS), st.sampled_from(PLAIN_KEYS))
def test_cells_between_two_keys_are_picked(
    made: list[Entry], low: int, high: int
) -> None:
    within = [each for each in made if low <= each.key < high]

    assert totals_of(made).between(low, high).equals(totals_of(within))
    assert lasts_of(made).between(low, high).equals(lasts_of(within))


def in_one_window(lasts: Lasts, *, is_windowed: bool) -> Lasts:
    key = WINDOWED if is_windowed else np.uint64(0)
    return lasts.with_key(np.full(len(lasts), key))


@given(entries())
def test_cells_under_one_key_are_one(made: list[Entry]) -> None:
    plain = [each for each in made if each.key in PLAIN_KEYS]
    same_key = [
        Entry(
            key=0,
            units=each.units,
            timestamp=each.timestamp,
            position=each.position,
            is_cancellation=each.is_cancellation,
        )
        for each in plain
    ]

    totals, lasts = totals_of(plain), lasts_of(plain)
    totals = Totals.combine([totals.with_key(np.zeros(len(totals)))])
    by_time = Lasts.combine([in_one_window(lasts, is_windowed=False)])

    assert totals.equals(totals_of(same_key))
    assert by_time.equals(lasts_of(same_key))


def test_in_one_window_of_a_pre_aggregated_meter_the_last_recorded_wins() -> None:
    lasts = lasts_of([entry(1, position=2, timestamp=4)])
    earlier = lasts_of([entry(9, position=1, timestamp=5)])
    both = Lasts.concatenate([lasts, earlier])

    by_position = Lasts.combine([in_one_window(both, is_windowed=True)])
    by_time = Lasts.combine([in_one_window(both, is_windowed=False)])

    assert (by_position.value_units(0), by_time.value_units(0)) == (1, 9)
    assert by_position.key.tolist() == [int(WINDOWED)]


def test_lasts_are_picked_by_index_mask_and_slice() -> None:
    made = [Entry(key=at, units=at, timestamp=at, position=at) for at in (1, 2, 3)]
    lasts = lasts_of(made)

    for picked in (np.array([0, 2]), np.array([True, False, True]), slice(0, 3, 2)):
        assert lasts.pick(picked).equals(lasts_of([made[0], made[2]]))


@given(st.lists(st.none() | units()), st.integers(0, 5))
def test_words_and_limbs_hold_every_quantity(
    counts: list[int | None], start: int
) -> None:
    expected = [each or 0 for each in counts][start:]

    words = words_of(decimals(counts)[start:])
    limbs = limbs_of(words)

    assert numbers_of_words(words) == expected
    assert [number_of_limbs(each) for each in limbs.T] == expected


@given(st.lists(units()))
def test_words_become_the_decimals_that_they_were(counts: list[int]) -> None:
    values = decimals(counts)

    assert decimals_of(words_of(values)).equals(values)


@given(st.lists(st.lists(units(), min_size=1, max_size=6), min_size=1, max_size=6))
@example([[UNITS_AT_MOST] * 5, [-UNITS_AT_MOST] * 4, [0]])
@example([[2**63 - 1], [-(2**63)]])
@example([[2**63 - 1, 1], [-(2**63), -1]])
def test_sums_are_put_back_into_words(groups_of_counts: list[list[int]]) -> None:
    made = [
        Entry(key=key, units=count, timestamp=0, position=1)
        for key, counts in enumerate(groups_of_counts)
        for count in counts
    ]
    expected = [sum(counts) for counts in groups_of_counts]

    words = words_of_limbs(totals_of(made).limbs)

    assert [number_of_limbs(each) for each in limbs_of(words).T] == expected
    assert (len(words) == 1) == all(-(2**63) <= each < 2**63 for each in expected)


@given(st.lists(units(), min_size=1))
def test_numbers_are_the_same_in_fewer_words_and_in_more(counts: list[int]) -> None:
    words = words_of(decimals(counts))

    assert np.array_equal(widened(narrowed(words), 2), words)
    assert np.array_equal(narrowed(widened(words, 3)), narrowed(words))


@given(st.lists(st.lists(units(), max_size=5), min_size=1, max_size=4))
def test_limbs_of_any_width_are_gathered(parts: list[list[int]]) -> None:
    limbs = [limbs_of(words_of(decimals(part))) for part in parts]

    gathered = gather_limbs(limbs)

    assert [number_of_limbs(each) for each in gathered.T] == [
        count for part in parts for count in part
    ]


def test_a_sum_stays_exact_beyond_the_width_of_any_value() -> None:
    many = 50_000
    values = decimals([UNITS_AT_MOST] * many)

    totals = Totals.combine([Totals.of_events(np.zeros(many, np.uint64), values)])
    doubled = Totals.combine([totals, totals])

    assert doubled.sum_units(0) == 2 * many * UNITS_AT_MOST


def test_a_column_without_values_counts() -> None:
    totals = Totals.of_events(np.zeros(3, np.uint64), pa.nulls(3, decimals([]).type))

    assert contents_of_totals(Totals.combine([totals])) == {0: (3, 0)}


METERS = st.integers(0, (1 << METER_BITS) - 1)
CUSTOMERS = st.integers(0, (1 << CUSTOMER_BITS) - 1)


@given(
    st.lists(
        st.tuples(
            METERS, CUSTOMERS, st.booleans(), st.integers(0, (1 << HOUR_BITS) - 1)
        ),
        min_size=1,
        unique=True,
    )
)
@example([(0, 1, False, 0), (0, 0, False, (1 << HOUR_BITS) - 1)])
@example([(1, 0, False, 0), (0, (1 << CUSTOMER_BITS) - 1, False, 5)])
@example([((1 << METER_BITS) - 1, 0, False, 0), (0, 0, True, 0)])
def test_every_series_and_hour_has_a_key_of_its_own_in_their_order(
    coordinates: list[tuple[int, int, bool, int]],
) -> None:
    ordered = sorted(coordinates, key=lambda each: (each[2], each[0], each[1], each[3]))
    meters, customers, are_windowed, hours = zip(*ordered, strict=True)

    keys = (
        meter_keys(meters, are_windowed)
        | customer_keys(customers)
        | np.array(hours, np.uint64)
    )

    assert (keys[1:] > keys[:-1]).all()
    assert keys.tolist() == [
        series_key(meter, customer, is_windowed=is_windowed) + hour
        for meter, customer, is_windowed, hour in ordered
    ]
    assert ((keys >= WINDOWED) == np.array(are_windowed)).all()


@given(
    st.permutations(range(5)),
    st.permutations(range(5)),
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 4),
            st.booleans(),
            st.integers(0, (1 << HOUR_BITS) - 1),
        ),
        min_size=1,
    ),
)
def test_keys_are_given_other_codes_and_keep_the_rest(
    meters: list[int],
    customers: list[int],
    coordinates: list[tuple[int, int, bool, int]],
) -> None:
    old = [keys_of(*each) for each in coordinates]
    new = [keys_of(meters[m], customers[c], w, h) for m, c, w, h in coordinates]

    keys = np.concatenate(old)

    recoded = recode(keys, np.array(meters), np.array(customers))
    assert np.array_equal(recoded, np.concatenate(new))
    assert meters_of(keys).tolist() == [each[0] for each in coordinates]
    assert customers_of(keys).tolist() == [each[1] for each in coordinates]


def keys_of(meter: int, customer: int, is_windowed: bool, hour: int) -> np.ndarray:  # noqa: FBT001  # one of four coordinates
    key: np.ndarray = meter_keys([meter], [is_windowed]) | customer_keys([customer])
    return key | np.uint64(hour)


def test_no_meters_and_customers_have_no_keys() -> None:
    assert len(meter_keys([], [])) == 0
    assert len(customer_keys([])) == 0


def test_a_code_that_does_not_fit_a_key_is_an_error() -> None:
    with pytest.raises(AssertionError):
        meter_keys([1 << METER_BITS], [False])
    with pytest.raises(AssertionError):
        customer_keys([1 << CUSTOMER_BITS])


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=4))
def test_groups_are_found_in_the_order_of_their_keys(parts: list[list[int]]) -> None:
    flat = [key for part in parts for key in part]

    key, order, starts = groups([np.array(part, np.uint64) for part in parts])

    assert key.tolist() == sorted(flat)
    assert np.arange(len(flat))[order].tolist() == sorted(
        range(len(flat)), key=lambda at: (flat[at], at)
    )
    assert [key[start] for start in starts] == sorted(set(flat))
