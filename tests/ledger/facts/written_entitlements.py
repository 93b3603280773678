"""Facts about features, and how each has always been written."""

from ledger.facts.entitlements import (
    EntitlementsUpdated,
    FeatureAttached,
    FeatureCreated,
    FeatureDetached,
    FeatureUpdated,
)
from ledger.facts.union import Fact

WRITTEN_ENTITLEMENTS: list[tuple[Fact, str]] = [
    (
        FeatureCreated(
            feature_id="feat_1", lookup_key="sso", name="SSO", metadata={"a": "b"}
        ),
        (
            """[{"fact":"feature.created","feature_id":"feat_1","lookup_key":"sso","""
            """"name":"SSO","metadata":{"a":"b"}}]"""
        ),
    ),
    (
        FeatureUpdated(feature_id="feat_1", active=False, name="SSO", metadata={}),
        (
            """[{"fact":"feature.updated","feature_id":"feat_1","active":false,"""
            """"name":"SSO","metadata":{}}]"""
        ),
    ),
    (
        FeatureAttached(
            product_feature_id="prodft_1",
            product_id="prod_1",
            feature_id="feat_1",
            at_once=False,
        ),
        (
            """[{"fact":"product_feature.created","product_feature_id":"prodft_1","""
            """"product_id":"prod_1","feature_id":"feat_1","at_once":false}]"""
        ),
    ),
    (
        FeatureDetached(product_feature_id="prodft_1", at_once=True),
        (
            """[{"fact":"product_feature.deleted","product_feature_id":"prodft_1","""
            """"at_once":true}]"""
        ),
    ),
    (
        EntitlementsUpdated(
            customer="cus_1", at=2, features=("feat_1", "feat_2"), former=("feat_1",)
        ),
        (
            """[{"fact":"entitlements.updated","customer":"cus_1","at":2,"""
            """"features":["feat_1","feat_2"],"former":["feat_1"]}]"""
        ),
    ),
]
