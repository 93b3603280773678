"""What a price says that units cost, read from a request: amounts, tiers, currencies.

The sentences with a full stop are Stripe's.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ledger.facts.prices import CurrencyAmounts, PriceTier, TaxBehavior
from metering.arguments.currencies import currency_of
from metering.arguments.kinds import within
from metering.arguments.refusals import invalid, missing
from metering.errors import InvalidRequestError
from metering.prices.requests import CurrencyOptionParams, TierParams

_ENDLESS = "inf"


def amounts_of(
    given: Mapping[str, Any], path: str = "", *, is_tiered: bool
) -> CurrencyAmounts:
    """Return what units cost in one currency.

    Args:
        given: the parameters that say so, checked one by one.
        path: of the object they are in.
        is_tiered: whether tiers say it.

    Raises:
        InvalidRequestError: they say it in no way, in two, or in one that does not fit.
    """
    tax_behavior = TaxBehavior(given.get("tax_behavior") or "unspecified")
    tiers = given.get("tiers")
    unit_amount = _either(given, "unit_amount", path)
    if not is_tiered:
        if tiers is not None:
            at = within(path, "tiers")
            raise _left_out(at, "unless billing_scheme is tiered")
        if unit_amount is None:
            raise InvalidRequestError(
                "Prices require an `unit_amount` or `unit_amount_decimal` parameter to"
                " be set.",
                code="parameter_missing",
                param=within(path, "unit_amount") if path else None,
            )
        return CurrencyAmounts(
            unit_amount=unit_amount, tiers=None, tax_behavior=tax_behavior
        )
    if unit_amount is not None:
        raise _left_out(within(path, "unit_amount"), "where there are tiers")
    if tiers is None:
        raise missing(within(path, "tiers"))
    return CurrencyAmounts(
        unit_amount=None,
        tiers=_tiers(tiers, within(path, "tiers")),
        tax_behavior=tax_behavior,
    )


def amounts_by_currency(
    options: Mapping[str, CurrencyOptionParams], currency: str, *, is_tiered: bool
) -> dict[str, CurrencyAmounts]:
    """Return what a price is in further currencies.

    Raises:
        InvalidRequestError: one is no currency, or the price's own, or comes twice, or
            does not say what units cost.
    """
    found: dict[str, CurrencyAmounts] = {}
    for name, option in options.items():
        path = within("currency_options", name)
        code = currency_of(name, path)
        if code == currency or code in found:
            raise invalid(path, name, "another currency than those before it")
        found[code] = amounts_of(option, path, is_tiered=is_tiered)
    return found


def _tiers(given: Sequence[TierParams], path: str) -> tuple[PriceTier, ...]:
    tiers: list[PriceTier] = []
    reached = 0
    for number, tier in enumerate(given):
        at = f"{path}[{number}]"
        is_last = number == len(given) - 1
        up_to = tier["up_to"]
        if isinstance(up_to, str) is not is_last:
            allowed = (
                f"{_ENDLESS}, so that every quantity has a tier"
                if is_last
                else f"an integer; only the last tier ends at {_ENDLESS}"
            )
            raise invalid(within(at, "up_to"), up_to, allowed)
        if isinstance(up_to, int):
            if up_to <= reached:
                allowed = f"more than that of the tier before it, {reached}"
                raise invalid(within(at, "up_to"), up_to, allowed)
            reached = up_to
        tiers.append(_tier(tier, None if isinstance(up_to, str) else up_to, at))
    return tuple(tiers)


def _tier(given: TierParams, up_to: int | None, path: str) -> PriceTier:
    unit_amount = _either(given, "unit_amount", path)
    flat_amount = _either(given, "flat_amount", path)
    if unit_amount is None and flat_amount is None:
        raise InvalidRequestError(
            f"Missing required param: {path} needs unit_amount or flat_amount",
            code="parameter_missing",
            param=path,
        )
    if flat_amount is not None and flat_amount != flat_amount.to_integral_value():
        at = within(path, "flat_amount_decimal")
        raise invalid(at, f"{flat_amount:f}", "a whole number of minor units")
    return PriceTier(
        up_to=up_to,
        unit_amount=unit_amount,
        flat_amount=None if flat_amount is None else int(flat_amount),
    )


def _either(given: Mapping[str, Any], name: str, path: str) -> Decimal | None:
    """Return an amount that is given whole, as a decimal, or not at all."""
    whole, exact = given.get(name), given.get(f"{name}_decimal")
    if whole is not None and exact is not None:
        raise only_one(within(path, name), name, f"{name}_decimal")
    return Decimal(whole) if exact is None and whole is not None else exact


def only_one(param: str, *names: str) -> InvalidRequestError:
    """Return the refusal of parameters of which only one may be given."""
    return InvalidRequestError(
        f"You may only specify one of these parameters: {', '.join(names)}.",
        code="parameters_exclusive",
        param=param,
    )


def _left_out(param: str, where: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid {param}: must be left out {where}", param=param
    )
