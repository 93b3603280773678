"""Features hang on products, and each mistake is one clear error."""

from collections.abc import Callable

import pytest

import metering
from tests.conftest import Connect
from tests.metering.entitlements.usual_features import attach, feature
from tests.metering.usual_prices import create_price, create_product


def test_a_feature_is_made_changed_listed_and_archived(connect: Connect) -> None:
    m = connect()
    features = m.entitlements.features

    made = features.create(lookup_key="sso", name="Sign-on", metadata={"a": "b"})
    other = feature(m, "audit")
    changed = features.update(made.id, name="SSO", metadata={"a": "", "c": "d"})
    features.update(other.id, active=False)

    assert made.object == "entitlements.feature"
    assert (changed.name, changed.metadata) == ("SSO", {"c": "d"})
    assert changed.lookup_key == "sso"
    assert features.retrieve(made.id) == changed
    assert list(features.list()) == [changed]
    assert [each.id for each in features.list(archived=True)] == [other.id]
    assert list(features.list(lookup_key="audit")) == []
    assert feature(m, "audit").id != other.id


def test_a_feature_on_a_product_is_listed_until_it_is_detached(
    connect: Connect,
) -> None:
    m = connect()
    price = create_price(m)
    hung = m.entitlements.product_features
    first, second = attach(m, price, "sso"), attach(m, price, "audit")

    assert list(hung.list(price.product)) == [second, first]
    assert hung.list(price.product, limit=1).next_page().data == [first]
    assert hung.retrieve(price.product, first.id) == first
    assert first.entitlement_feature.lookup_key == "sso"

    hung.delete(price.product, second.id)

    assert list(hung.list(price.product)) == [first]
    with pytest.raises(metering.ResourceMissingError):
        hung.retrieve(price.product, second.id)
    again = hung.create(
        price.product, entitlement_feature=second.entitlement_feature.id
    )
    assert again.id != second.id


Refused = Callable[[metering.Metering], object]


def _twice(m: metering.Metering) -> object:
    price = create_price(m)
    made = attach(m, price).entitlement_feature.id
    return m.entitlements.product_features.create(
        price.product, entitlement_feature=made
    )


def _archived(m: metering.Metering) -> str:
    return m.entitlements.features.update(feature(m).id, active=False).id


def _on_another_product(m: metering.Metering) -> object:
    hung = attach(m, create_price(m))
    return m.entitlements.product_features.retrieve(create_product(m).id, hung.id)


@pytest.mark.parametrize(
    ("refused", "code", "param", "message"),
    [
        (
            lambda m: (feature(m), feature(m)),
            "resource_already_exists",
            "lookup_key",
            "already uses that lookup key",
        ),
        (
            lambda m: m.entitlements.features.update(_archived(m), active=True),
            "feature_archived",
            "id",
            "is archived, which is final",
        ),
        (
            lambda m: m.entitlements.features.update(_archived(m), name="x"),
            "feature_archived",
            "id",
            "is archived, which is final",
        ),
        (
            lambda m: m.entitlements.product_features.create(
                create_product(m).id, entitlement_feature=_archived(m)
            ),
            "feature_archived",
            "entitlement_feature",
            "is archived, which is final",
        ),
        (
            _twice,
            "resource_already_exists",
            "entitlement_feature",
            "is attached to product",
        ),
        (
            lambda m: m.entitlements.product_features.create(
                "prod_x", entitlement_feature=feature(m).id
            ),
            "resource_missing",
            "id",
            "No such product: 'prod_x'",
        ),
        (
            lambda m: m.entitlements.product_features.create(
                create_product(m).id, entitlement_feature="feat_x"
            ),
            "resource_missing",
            "entitlement_feature",
            "No such feature: 'feat_x'",
        ),
        (
            _on_another_product,
            "resource_missing",
            "id",
            "No such product feature",
        ),
        (
            lambda m: m.entitlements.features.create(lookup_key="k" * 81, name="x"),
            "parameter_invalid",
            "lookup_key",
            "80",
        ),
        (
            lambda m: m.entitlements.check(customer="cus_1", feature="sso"),
            "resource_missing",
            "feature",
            "No such feature: 'sso'",
        ),
        (
            lambda m: m.entitlements.active_entitlements.retrieve("ent_test_1_1"),
            "resource_missing",
            "id",
            "No such active entitlement",
        ),
    ],
)
def test_a_mistake_is_one_clear_error(
    refused: Refused, code: str, param: str, message: str
) -> None:
    with (
        metering.connect(":memory:") as m,
        pytest.raises(metering.InvalidRequestError) as raised,
    ):
        refused(m)

    assert (raised.value.code, raised.value.param) == (code, param)
    assert message in raised.value.message
