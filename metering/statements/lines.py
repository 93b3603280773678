"""Lines of statements: planned ones, with what was measured, become money."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ledger.facts.statements import BilledLine, BilledTier
from ledger.usage.quantities import (
    quantities_of,
    quantity_from_units,
    shortest,
    units_from_quantity,
)
from metering.errors import InvalidRequestError
from metering.statements.plans import PlannedLine
from metering.store.engine import Engine
from metering.usage_records.counting import record_units
from projections.kernels.rating.limbs import WHOLE_BOUND
from projections.kernels.rating.quantities import ReadQuantities
from projections.kernels.rating.rate_card import RateCard, Tariff
from projections.kernels.rating.rating import RatedLines, rate
from projections.kernels.statements import counted_span
from projections.kernels.usage.series import Series
from projections.meters.catalog import Definitions
from projections.usage.view import UsageView
from projections.windows import recorded_span

_DIGITS = len(str(WHOLE_BOUND)) - 1


def counted_units(
    engine: Engine,
    definitions: Definitions,
    customer: str,
    planned: Sequence[PlannedLine],
    at: int | None,
    view: UsageView,
) -> list[int]:
    """Return what lines of a statement measure, in units of 10**-12.

    Args:
        engine: of the store.
        definitions: the meters, those of the lines among them.
        customer: whose usage.
        planned: the lines.
        at: where usage stops to count; None is the period's end.
        view: of usage.
    """
    found = []
    for line in planned:
        if line.quantity is not None:
            found.append(units_from_quantity(line.quantity))
            continue
        if line.price.aggregate_usage is not None:
            found.append(recorded_by_item(engine, definitions, view, line, at))
            continue
        meter_id = line.price.meter_id
        assert meter_id is not None, "a meter measures it"
        low, high = recorded_span(*counted_span(line.start, line.end, at))
        series = Series(meter=definitions.by_id[meter_id], customer=customer)
        found.append(
            engine.summaries.units(view, series, low, high) if low < high else 0
        )
    return found


def recorded_by_item(
    engine: Engine,
    definitions: Definitions,
    view: UsageView,
    line: PlannedLine,
    at: int | None,
) -> int:
    """Return what the usage records of a line come to, in units of 10**-12."""
    aggregate, item_id = line.price.aggregate_usage, line.item_id
    assert aggregate is not None, "usage records say its quantity"
    assert item_id is not None, "they are an item's"
    span = counted_span(line.start, line.end, at)
    return record_units(engine, definitions, view, item_id, aggregate, span)


@dataclass(frozen=True, slots=True)
class RatedPlan:
    """Planned lines, with what they come to.

    Attributes:
        lines: a line for each planned one.
        refusals: why lines are none, by index.
    """

    lines: Sequence[BilledLine]
    refusals: Mapping[int, InvalidRequestError]


def billed_lines(
    planned: Sequence[PlannedLine], units: Sequence[int]
) -> tuple[BilledLine, ...]:
    """Rate the lines of one statement.

    Args:
        planned: the lines.
        units: of each, what was measured, in units of 10**-12.

    Raises:
        InvalidRequestError: a quantity or an amount has too many digits.
    """
    quantities = quantities_of([quantity_from_units(each) for each in units])
    numbers = range(1, len(planned) + 1)
    rated = rated_plan(planned, [*map("il_{}".format, numbers)], quantities)
    for refusal in rated.refusals.values():
        raise refusal
    return tuple(rated.lines)


def rated_amounts(planned: Sequence[PlannedLine], units: Sequence[int]) -> list[int]:
    """Return what `billed_lines` come to, and nothing else of them.

    Raises:
        InvalidRequestError: a quantity or an amount has too many digits.
    """
    quantities = quantities_of([quantity_from_units(each) for each in units])
    rated = _Rated.of(planned, quantities)
    for refusal in rated.refusals(planned).values():
        raise refusal
    amounts: list[int] = rated.lines.amount.tolist()
    return [
        0 if line.is_trial else amount
        for line, amount in zip(planned, amounts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Rated:
    """Lines with what each costs, were none of a trial.

    Attributes:
        lines: what they cost.
        is_negative: bool, which quantities were rated as 0.
        is_too_large: bool, which quantities cannot be rated.
    """

    lines: RatedLines
    is_negative: np.ndarray
    is_too_large: np.ndarray

    @classmethod
    def of(
        cls,
        planned: Sequence[PlannedLine],
        quantities: pa.Array,
        is_too_large: np.ndarray | None = None,
    ) -> "_Rated":
        """Rate planned lines; see `rated_plan`."""
        read = ReadQuantities.of(quantities)
        tariffs: dict[tuple[str, str], int] = {}
        which = [
            tariffs.setdefault((line.price.price_id, line.currency), len(tariffs))
            for line in planned
        ]
        first = dict(zip(reversed(which), reversed(planned), strict=True))
        card = RateCard.of([_tariff(first[number]) for number in range(len(tariffs))])
        rated = rate(card, np.array(which, np.int64), read.quantities)
        beyond = read.is_too_large
        if is_too_large is not None:
            beyond = beyond | is_too_large
        return cls(rated, read.is_negative, beyond)

    def refusals(
        self, planned: Sequence[PlannedLine]
    ) -> dict[int, InvalidRequestError]:
        """Return why lines are none, by index."""
        wrong = ("amount", self.lines.is_beyond), ("quantity", self.is_too_large)
        return {
            at: _too_large(planned[at], what)
            for what, are_wrong in wrong
            for at in np.flatnonzero(are_wrong).tolist()
        }


def rated_plan(
    planned: Sequence[PlannedLine],
    ids: Sequence[str],
    quantities: pa.Array,
    is_too_large: np.ndarray | None = None,
) -> RatedPlan:
    """Rate lines of any number of statements.

    Args:
        planned: the lines.
        ids: of each, unique in its statement.
        quantities: of each, decimal128(38, 12) without nulls.
        is_too_large: bool, which of them have even more digits, and are none here.
    """
    rated = _Rated.of(planned, quantities, is_too_large)
    return RatedPlan(
        [
            BilledLine(
                id=line_id,
                price_id=line.price.price_id,
                meter_id=line.price.meter_id,
                item_id=line.item_id,
                quantity=shortest(quantity),
                amount=0 if line.is_trial else amount,
                is_negative=is_negative,
                is_trial=line.is_trial,
                period_start=line.start,
                period_end=line.end,
                tiers=() if line.is_trial else tiers,
            )
            for line, line_id, quantity, amount, is_negative, tiers in zip(
                planned,
                ids,
                quantities.to_pylist(),
                rated.lines.amount.tolist(),
                rated.is_negative.tolist(),
                _tiers(rated.lines.tiers()),
                strict=True,
            )
        ],
        rated.refusals(planned),
    )


def _tiers(reached: pa.ListArray) -> Iterator[tuple[BilledTier, ...]]:
    """Yield the tiers of each line."""
    flat = reached.flatten()
    tiers = tuple(
        map(
            BilledTier,
            flat.field("up_to").to_pylist(),
            map(shortest, flat.field("quantity").to_pylist()),
            flat.field("amount").to_pylist(),
        )
    )
    for start, end in pairwise(reached.offsets.to_pylist()):
        yield tiers[start:end]


def _tariff(line: PlannedLine) -> Tariff:
    price = line.price
    return Tariff(
        amounts=price.amounts[line.currency],
        tiers_mode=price.tiers_mode,
        package=price.package,
    )


def _too_large(line: PlannedLine, what: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The {what} of price {line.price.price_id} is too large; must have at most"
        f" {_DIGITS} digits before the point",
        code=f"{what}_too_large",
        param=line.param,
    )
