"""Own features and products as tests of them make them."""

import metering


def feature(m: metering.Metering, key: str = "sso") -> metering.Feature:
    """Create a feature that is called as its lookup key is."""
    return m.entitlements.features.create(lookup_key=key, name=key.upper())


def attach(
    m: metering.Metering, price: metering.Price, key: str = "sso"
) -> metering.ProductFeature:
    """Attach a new feature to the product of a price."""
    return m.entitlements.product_features.create(
        price.product, entitlement_feature=feature(m, key).id
    )


def keys(m: metering.Metering, customer: str = "cus_1") -> list[str]:
    """The lookup keys of what a customer has."""
    has = m.entitlements.active_entitlements.list(customer)
    return [each.lookup_key for each in has.auto_paging_iter()]
