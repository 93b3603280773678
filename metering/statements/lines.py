"""Lines of statements: planned ones, with what was measured, become money."""

from collections.abc import Sequence

import numpy as np

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
from projections.kernels.rating.limbs import WHOLE_BOUND
from projections.kernels.rating.quantities import ReadQuantities
from projections.kernels.rating.rate_card import RateCard, Tariff
from projections.kernels.rating.rating import rate
from projections.kernels.usage.series import Series
from projections.usage.view import UsageView
from projections.windows import END

_DIGITS = len(str(WHOLE_BOUND)) - 1


def counted_units(
    engine: Engine,
    customer: str,
    planned: Sequence[PlannedLine],
    at: int | None,
    view: UsageView,
) -> list[int]:
    """Return what lines of a statement measure, in units of 10**-12.

    Args:
        engine: of the store.
        customer: whose usage.
        planned: the lines.
        at: where usage stops to count; None is the period's end.
        view: of usage.
    """
    meters = engine.definitions().by_id
    found = []
    for line in planned:
        meter_id = line.price.meter_id
        if meter_id is None:
            assert line.quantity is not None, "the buyer said it"
            found.append(units_from_quantity(line.quantity))
            continue
        end = line.end if at is None else min(line.end, at)
        # Nothing is recorded before 1970 or after what a key can hold.
        low, high = max(line.start, 0), min(end, END)
        series = Series(meter=meters[meter_id], customer=customer)
        found.append(
            engine.summaries.units(view, series, low, high) if low < high else 0
        )
    return found


def billed(
    planned: Sequence[PlannedLine], units: Sequence[int], currency: str
) -> tuple[BilledLine, ...]:
    """Rate lines of a statement.

    Args:
        planned: the lines.
        units: of each, what was measured, in units of 10**-12.
        currency: which all their prices have.

    Raises:
        InvalidRequestError: a quantity or an amount has too many digits.
    """
    quantities = [quantity_from_units(each) for each in units]
    read = ReadQuantities.of(quantities_of(quantities))
    _check_small(planned, "quantity", read.is_too_large)
    card = RateCard.of([tariff_of(line, currency) for line in planned])
    rated = rate(card, np.arange(len(planned)), read.quantities)
    _check_small(planned, "amount", rated.is_beyond)
    return tuple(
        BilledLine(
            id=f"il_{number}",
            price_id=line.price.price_id,
            meter_id=line.price.meter_id,
            item_id=line.item_id,
            quantity=quantity,
            amount=amount,
            is_negative=is_negative,
            period_start=line.start,
            period_end=line.end,
            tiers=tuple(
                BilledTier(tier["up_to"], shortest(tier["quantity"]), tier["amount"])
                for tier in tiers
            ),
        )
        for number, (line, quantity, amount, is_negative, tiers) in enumerate(
            zip(
                planned,
                quantities,
                rated.amount.tolist(),
                read.is_negative.tolist(),
                rated.tiers().to_pylist(),
                strict=True,
            ),
            1,
        )
    )


def tariff_of(line: PlannedLine, currency: str) -> Tariff:
    """Return what a line is rated by."""
    price = line.price
    return Tariff(
        amounts=price.amounts[currency],
        tiers_mode=price.tiers_mode,
        package=price.package,
    )


def _check_small(
    planned: Sequence[PlannedLine], what: str, is_too_large: np.ndarray
) -> None:
    if is_too_large.any():
        line = planned[int(np.flatnonzero(is_too_large)[0])]
        raise InvalidRequestError(
            f"The {what} of price {line.price.price_id} is too large; must have at most"
            f" {_DIGITS} digits before the point",
            code=f"{what}_too_large",
            param=line.param,
        )
