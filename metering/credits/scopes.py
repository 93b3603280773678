"""Scopes: which prices credits may be used for."""

from metering.arguments.refusals import exclusive, invalid
from metering.credits.requests import CreditScopeParams
from metering.credits.resources import ApplicabilityConfig, CreditScope, ScopePrice
from metering.errors import InvalidRequestError


def prices_of(scope: CreditScopeParams, param: str) -> tuple[str, ...] | None:
    """Return the prices of a scope, or None for every metered price.

    Args:
        scope: checked but for what its two fields have to do with each other.
        param: where it was given.

    Raises:
        InvalidRequestError: it has both, neither, or a price twice.
    """
    prices = scope.get("prices")
    if prices is None:
        if scope.get("price_type") is None:
            raise InvalidRequestError(
                f"Missing required param: {param} needs price_type or prices",
                code="parameter_missing",
                param=param,
            )
        return None
    if scope.get("price_type") is not None:
        raise exclusive(param, "price_type", "prices")
    ids: list[str] = []
    for number, price in enumerate(prices):
        if price["id"] in ids:
            at = f"{param}[prices][{number}][id]"
            raise invalid(at, price["id"], "another price than those before it")
        ids.append(price["id"])
    return tuple(ids)


def applicability_of(prices: tuple[str, ...] | None) -> ApplicabilityConfig:
    """Return the prices of a scope as a resource shows them; None is every metered one."""
    if prices is None:
        return ApplicabilityConfig(scope=CreditScope(price_type="metered"))
    listed = tuple(ScopePrice(id=each) for each in prices)
    return ApplicabilityConfig(scope=CreditScope(prices=listed))
