"""Features and entitlements, by Stripe's own client."""

from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import check_shape, list_of
from tests.server.usage import unique

FEATURE = {
    "id": str,
    "object": "entitlements.feature",
    "active": bool,
    "livemode": bool,
    "lookup_key": str,
    "metadata": dict,
    "name": str,
}
PRODUCT_FEATURE = {
    "id": str,
    "object": "product_feature",
    "entitlement_feature": FEATURE,
    "livemode": bool,
}
ACTIVE_ENTITLEMENT = {
    "id": str,
    "object": "entitlements.active_entitlement",
    "feature": str,
    "livemode": bool,
    "lookup_key": str,
}


def test_a_product_entitles_its_subscribers_as_the_guide_of_stripe_says(
    client: stripe.StripeClient, server: Server
) -> None:
    key = unique("sso")
    feature = client.v1.entitlements.features.create({"lookup_key": key, "name": "SSO"})
    product = client.v1.products.create({"name": "Pro"})
    hung = client.v1.products.features.create(
        product.id, {"entitlement_feature": feature.id}
    )
    monthly: Any = {"interval": "month"}
    price = client.v1.prices.create(
        {
            "product": product.id,
            "currency": "usd",
            "unit_amount": 10,
            "recurring": monthly,
        }
    )
    customer = client.v1.customers.create({"name": "Ada"})
    paid = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": price.id}]}
    )

    active = client.v1.entitlements.active_entitlements
    [has] = active.list({"customer": customer.id}).data
    expanded = active.retrieve(has.id, {"expand": ["feature"]})
    asked = f"/metering/v1/entitlements/check?customer={customer.id}&feature={key}"
    checked = server.ask("GET", asked).json

    assert (has.feature, has.lookup_key) == (feature.id, key)
    assert isinstance(expanded.feature, stripe.entitlements.Feature)
    assert expanded.feature.name == "SSO"
    assert (checked["entitled"], checked["until"]) == (True, None)
    attached = client.v1.products.features
    check_shape(client.v1.entitlements.features.retrieve(feature.id), FEATURE)
    check_shape(client.v1.entitlements.features.list(), list_of(FEATURE))
    check_shape(attached.retrieve(product.id, hung.id), PRODUCT_FEATURE)
    check_shape(attached.list(product.id), list_of(PRODUCT_FEATURE))
    check_shape(active.retrieve(has.id), ACTIVE_ENTITLEMENT)

    client.v1.subscriptions.cancel(paid.id)

    assert active.list({"customer": customer.id}).data == []
    gone = attached.delete(product.id, hung.id)
    assert (gone.id, gone.deleted) == (hung.id, True)
    assert attached.list(product.id).data == []


def test_an_archived_feature_is_listed_apart_and_cannot_be_changed(
    client: stripe.StripeClient,
) -> None:
    key = unique("old")
    features = client.v1.entitlements.features
    feature = features.create({"lookup_key": key, "name": "Old"})
    features.update(feature.id, {"active": False})

    with pytest.raises(stripe.InvalidRequestError) as raised:
        features.update(feature.id, {"name": "New"})

    assert (raised.value.http_status, raised.value.code) == (400, "feature_archived")
    assert features.list({"lookup_key": key}).data == []
    [found] = features.list({"lookup_key": key, "archived": True}).data
    assert found.id == feature.id


def test_what_is_not_there_is_answered_with_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.products.features.list("prod_x")
    assert (raised.value.http_status, raised.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.entitlements.active_entitlements.retrieve("ent_test_1_1")
    assert raised.value.http_status == 404
