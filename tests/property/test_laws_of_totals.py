"""Laws of the totals: how sums, counts and latest values relate to one another.

Each relates two runs of the same engine (metamorphic testing, Chen et al., HKUST-CS98-01)
and names where the law is from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.usage import EXACT, OracleMeter
from tests.property.answers import (
    DAYS,
    ODD,
    key_of,
    store_of,
    summaries,
    total,
    totals,
)
from tests.strategies import FEW_CUSTOMERS, Usage, usages


@given(usages(is_windowed=False), st.data())
def test_the_order_of_events_changes_no_total(
    usage: Usage, data: st.DataObject
) -> None:
    """Sums and counts commute; the latest is found by its timestamp when all differ.

    Source: Gray et al., Data Cube, 1997.
    """
    known, sent = usage
    distinct = {row.timestamp: row for row in sent}.values()
    shuffled = data.draw(st.permutations(list(distinct)))

    with store_of(known, list(distinct)) as one, store_of(known, shuffled) as other:
        assert totals(one) == totals(other)


@given(usages(formulas=("sum", "count")))
def test_the_hours_and_the_days_add_up_to_the_whole(usage: Usage) -> None:
    """A partition of the window partitions its total.

    Source: Rigger and Su, Finding Bugs in Database Systems via Query Partitioning,
    OOPSLA 2020.
    """
    known, sent = usage

    with store_of(known, sent) as store:
        for name, customer, span in product(names(known), FEW_CUSTOMERS, (DAYS, ODD)):
            whole = total(store, name, customer, span)
            hours = summaries(store, name, customer, span, "hour")
            days = summaries(store, name, customer, span, "day")
            assert exact_sum(value for _, value in hours) == whole
            assert exact_sum(value for _, value in days) == whole


@given(usages(), st.data())
def test_one_customer_never_changes_another(usage: Usage, data: st.DataObject) -> None:
    """What a customer sends is invisible in every other customer's totals.

    Source: Goguen and Meseguer, Security Policies and Security Models, 1982.
    """
    known, sent = usage
    stranger = [
        replace(
            row,
            payload={**row.payload, key_of(known, row): "a stranger"},
            identifier=f"stranger-{number}",
        )
        for number, row in enumerate(data.draw(st.lists(st.sampled_from(sent))))
    ]
    mixed = data.draw(st.permutations(sent + stranger))
    ordered = [row for row in mixed if row in sent]

    with store_of(known, ordered) as alone, store_of(known, mixed) as together:
        others = {
            key: answer
            for key, answer in totals(together).items()
            if key[1] != "a stranger"
        }

        assert others == totals(alone)


@given(usages(), st.integers(-6, 6))
def test_scaling_the_values_scales_the_totals(usage: Usage, power: int) -> None:
    """Sum and last are linear, exactly, and a count does not look at values.

    Source: Chen et al., Metamorphic Testing, HKUST-CS98-01.
    """
    known, sent = usage
    keys = {meter.event_name: meter.value_key for meter in known}
    small = [
        replace(row, payload={**row.payload, keys[row.event_name]: f"{number - 3}.25"})
        for number, row in enumerate(sent)
    ]
    scaled = [
        replace(
            row,
            payload={
                **row.payload,
                keys[row.event_name]: f"{row.payload[keys[row.event_name]]}e{power}",
            },
        )
        for row in small
    ]
    factors = {
        meter.event_name: Decimal(10) ** (0 if meter.formula == "count" else power)
        for meter in known
    }

    with store_of(known, small) as one, store_of(known, scaled) as other:
        expected = {
            key: [(span, value * factors[key[0]]) for span, value in answer]
            for key, answer in totals(one).items()
        }

        assert totals(other) == expected


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Add without the 28 digits at which Python's own addition begins to round."""
    return reduce(EXACT.add, values, Decimal(0))


def names(known: Sequence[OracleMeter]) -> list[str]:
    return [meter.event_name for meter in known]
