"""Weighing: what usage comes to that is not recorded, and what it can draw on.

It is rated by the subscriptions of the customer that bill its meter at its time, as a part
of what their periods come to: a tier that is used up is used up. Where there is none, it is
rated by a price that is named, by itself, as if an invoice of now billed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ledger.facts.meters import Formula
from metering.arguments.refusals import invalid
from metering.errors import InvalidRequestError
from metering.spending.burn_down import (
    AddedUsage,
    BurnDown,
    Burned,
    Present,
    RatedLine,
    Unbilled,
    UnbilledStatement,
)
from metering.spending.sharing import left_by_others
from metering.statements.lines import rated_amounts
from metering.statements.plans import PlannedLine
from projections.kernels.credits.burn_down import free_together, is_usable
from projections.kernels.credits.grants import Grant
from projections.kernels.meters import MeterDefinition
from projections.kernels.prices import PriceDefinition

_ADDING_UP = {Formula.SUM, Formula.COUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Usage that is not recorded, and the credits that it can draw.

    Attributes:
        customer: whose.
        currency: of all amounts.
        amount: what it comes to; below 0 where more usage is cheaper.
        uncovered: what of it no credits cover.
        remaining: of credits that it may draw, without it.
        grants: of the customer, with what is left of them without it.
        lines: that bill it, each with the end of its period.
        position: everything up to it is counted.
    """

    customer: str
    currency: str
    amount: int
    uncovered: int
    remaining: int
    grants: Sequence[Grant]
    lines: Sequence[tuple[RatedLine, int]]
    position: int


def check_adds_up(meter: MeterDefinition, quantity: Decimal) -> None:
    """Check that a meter would add a quantity to what it measured before.

    Raises:
        InvalidRequestError: it does not add up, or counts events, which are whole.
    """
    if meter.formula not in _ADDING_UP or meter.event_time_window is not None:
        raise InvalidRequestError(
            f"Meter {meter.meter_id} does not add up what it measures, so nobody knows"
            " what more usage comes to; give a meter of a sum or a count, without an"
            " event time window",
            code="meter_not_additive",
            param="meter",
        )
    if not meter.needs_value and quantity % 1:
        raise invalid("quantity", quantity, "whole, as the meter counts events")


def weighed(
    burn_down: BurnDown,
    present: Present,
    customer: str,
    added: AddedUsage,
    price: PriceDefinition | None,
) -> Weighed:
    """Weigh usage against the credits of its customer.

    Args:
        burn_down: of the store.
        present: when it is weighed.
        customer: whose usage.
        added: the usage, on a meter that adds up.
        price: of the meter, by which it is rated where no subscription bills it.

    Raises:
        InvalidRequestError: nothing bills it and no price is given, it is billed in
            several currencies, or an amount has too many digits.
    """
    unbilled = burn_down.unbilled(present, customer, added)
    with_it, lines = unbilled.with_added, _lines_with(unbilled)
    if not lines:
        alone = _by_price(added, price, present.now)
        with_it = [*unbilled.statements, alone]
        lines = [(alone, alone.lines[0])]
    currencies = {statement.currency for statement, _ in lines}
    if len(currencies) > 1:
        raise InvalidRequestError(
            f"Usage of customer {customer} on meter {added.meter_id} is billed in"
            f" several currencies, {', '.join(sorted(currencies))}, and no amount says"
            " what it comes to",
            code="currency_ambiguous",
            param="meter",
        )
    [currency] = currencies
    able = present.seen.spendable_of(customer, present.now)
    grants = left_by_others(burn_down, present, customer, able)
    without = Burned.of(grants, unbilled.statements, present.now)
    burned = Burned.of(grants, with_it, present.now)
    usable = [
        grant
        for grant in without.grants
        if any(
            _may_draw(grant, statement, line, present.now) for statement, line in lines
        )
    ]
    amount = sum(_due(with_it, currency)) - sum(_due(unbilled.statements, currency))
    grown = burned.uncovered[currency] - without.uncovered.get(currency, 0)
    return Weighed(
        customer=customer,
        currency=currency,
        amount=amount,
        uncovered=grown,
        remaining=free_together(usable),
        grants=without.grants,
        lines=[(line, statement.period_end) for statement, line in lines],
        position=unbilled.position,
    )


def _lines_with(unbilled: Unbilled) -> list[tuple[UnbilledStatement, RatedLine]]:
    return [
        (unbilled.with_added[number], unbilled.with_added[number].lines[at])
        for number, at in unbilled.added_to
    ]


def _by_price(
    added: AddedUsage, price: PriceDefinition | None, now: int
) -> UnbilledStatement:
    """Return a statement of now that bills usage alone."""
    if price is None:
        raise InvalidRequestError(
            f"No subscription bills usage on meter {added.meter_id} at that time; give a"
            " price that it is rated by",
            code="usage_not_billed",
            param="price",
        )
    if price.meter_id != added.meter_id:
        allowed = f"a price of what meter {added.meter_id} measures"
        raise invalid("price", price.price_id, allowed)
    line = PlannedLine(
        price=price,
        currency=price.currency,
        item_id=None,
        quantity=None,
        start=now,
        end=now,
        is_trial=False,
        param="price",
    )
    [amount] = rated_amounts([line], [added.units])
    rated = RatedLine(price.price_id, amount)
    return UnbilledStatement(price.currency, now, (rated,))


def _may_draw(
    grant: Grant, statement: UnbilledStatement, line: RatedLine, now: int
) -> bool:
    is_for_it = grant.prices is None or line.price_id in grant.prices
    return (
        grant.currency == statement.currency
        and is_for_it
        and is_usable(grant, period_end=statement.period_end, now=now)
    )


def _due(statements: Sequence[UnbilledStatement], currency: str) -> list[int]:
    return [
        line.amount
        for each in statements
        if each.currency == currency
        for line in each.lines
    ]
