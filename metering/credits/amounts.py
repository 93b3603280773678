"""Amounts of credits: what a request says of one."""

from metering.arguments.currencies import check_amount
from metering.credits.requests import CreditAmountParams


def money_of(given: CreditAmountParams, param: str) -> tuple[int, str]:
    """Return an amount in minor units, and its currency.

    Args:
        given: checked but for what its amount and its currency have to do with each
            other.
        param: where it was given.

    Raises:
        InvalidRequestError: it is no amount of its currency.
    """
    money = given["monetary"]
    check_amount(money["value"], money["currency"], f"{param}[monetary][value]")
    return money["value"], money["currency"]
