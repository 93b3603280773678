"""Lines of a previewed invoice, in Stripe's shape: one for each tier of a graduated price.

Source: https://docs.stripe.com/api/invoice-line-item
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from metering.arguments.currencies import minor_unit_digits
from metering.bodies import Body
from metering.prices.resources import Price
from metering.statements.resources import Statement, StatementLine

_SYMBOLS = {"usd": "$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _LinePart:
    """What a line of a statement has in a tier, or all that it has.

    Attributes:
        name: of the tier, where the price is graduated.
        unit_amount: of a unit, in minor units; None where it has none.
    """

    name: str
    quantity: Decimal
    amount: int
    unit_amount: Decimal | None


def invoice_lines(
    statement: Statement, prices: Mapping[str, Price], names: Mapping[str, str]
) -> list[Body]:
    """Return the lines of a statement as those of an invoice.

    Args:
        statement: a preview of a subscription.
        prices: of its lines, by id.
        names: of their products, by id.
    """
    drawn: defaultdict[str, list[int]] = defaultdict(list)
    for credit in statement.credits:
        drawn[credit.line].append(credit.amount)
    made: list[Body] = []
    for line in statement.lines:
        price, credits_left = prices[line.price], drawn[line.id]
        for part in _parts(line, price):
            pretax = [pretax_credit(each) for each in _taken(credits_left, part.amount)]
            described = _description(part, price, names[price.product], line)
            made.append(
                {
                    **_plain(statement, line, price, part),
                    "id": f"il_tmp_{len(made) + 1}",
                    "description": described,
                    "pretax_credit_amounts": pretax,
                }
            )
    return made


def pretax_credit(amount: int) -> Body:
    """Return credits that would be drawn: no transaction has drawn them yet."""
    return {
        "amount": amount,
        "credit_balance_transaction": None,
        "discount": None,
        "type": "credit_balance_transaction",
    }


def _plain(
    statement: Statement, line: StatementLine, price: Price, part: _LinePart
) -> Body:
    unit_amount = part.unit_amount
    return {
        "object": "line_item",
        "amount": part.amount,
        "currency": line.currency,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": statement.livemode,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": None,
                "subscription": statement.subscription,
                "subscription_item": line.subscription_item,
            },
            "type": "subscription_item_details",
        },
        "period": {
            "end": int(line.period_end.timestamp()),
            "start": int(line.period_start.timestamp()),
        },
        "pricing": {
            "price_details": {"price": price.id, "product": price.product},
            "type": "price_details",
            "unit_amount_decimal": None if unit_amount is None else f"{unit_amount:f}",
        },
        "quantity": int(part.quantity),
        "quantity_decimal": f"{part.quantity:f}",
        "subscription": statement.subscription,
        "subtotal": part.amount,
        "taxes": [],
    }


def _parts(line: StatementLine, price: Price) -> Iterator[_LinePart]:
    """Yield the lines that a line of a statement is on an invoice."""
    if not line.tiers:
        yield _LinePart(
            name="",
            quantity=max(line.quantity, Decimal(0)),
            amount=line.amount,
            unit_amount=None if line.is_trial else price.unit_amount_decimal,
        )
        return
    options = price.currency_options[line.currency]
    tiers = {tier.up_to: (n, tier) for n, tier in enumerate(options.tiers or (), 1)}
    for reached in line.tiers:
        number, tier = tiers[reached.up_to]
        yield _LinePart(
            name=f"Tier {number} " if price.tiers_mode == "graduated" else "",
            quantity=reached.quantity,
            amount=reached.amount,
            unit_amount=tier.unit_amount_decimal,
        )


def _taken(left: list[int], amount: int) -> Iterator[int]:
    """Take up to an amount of what is left, the first at first."""
    while left and amount:
        taken = min(left[0], amount)
        amount -= taken
        left[0] -= taken
        if not left[0]:
            del left[0]
        yield taken


def _description(part: _LinePart, price: Price, name: str, line: StatementLine) -> str:
    if line.is_trial:
        return f"Free trial for {part.quantity:f} × {name}"  # noqa: RUF001  # Stripe's sign
    each = part.unit_amount
    cost = "" if each is None else f"at {_money(each, line.currency)}"
    recurring = price.recurring
    if cost and recurring is not None:
        count = recurring.interval_count
        often = recurring.interval if count == 1 else f"{count} {recurring.interval}s"
        cost = f"{cost} / {often}"
    told = f"{part.name}{cost}".strip()
    of = f"{part.quantity:f} × {name}"  # noqa: RUF001  # the same
    return f"{of} ({told})" if told else of


def _money(amount: Decimal, currency: str) -> str:
    """Write minor units as Stripe's invoices do: $0.0005, 5 JPY."""
    digits = minor_unit_digits(currency)
    whole, _, fraction = f"{amount.scaleb(-digits):f}".partition(".")
    fraction = fraction.rstrip("0").ljust(digits, "0")
    written = f"{whole}.{fraction}" if fraction else whole
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{written}" if symbol else f"{written} {currency.upper()}"


def total_credits(lines: Sequence[Body]) -> list[Body]:
    """Return what all lines would draw."""
    return [each for line in lines for each in line["pretax_credit_amounts"]]
