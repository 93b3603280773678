"""Features of products: which hang there, and what may be done to them."""

from ledger.facts.entitlements import FeatureAttached, FeatureDetached
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.entitlements.features import check_active
from metering.entitlements.requests import ProductFeatureCreate, ProductFeatureList
from metering.entitlements.resources import ProductFeature
from metering.entitlements.shown import feature_of, product_feature_resource
from metering.errors import InvalidRequestError
from metering.prices.writing import product_of
from metering.store.engine import Engine
from projections.entitlements.queries import EntitlementQueries
from projections.kernels.entitlements import Attachment
from projections.prices.queries import PriceQueries


class ProductFeatures:
    """The features that hang on products.

    New subscriptions see a change at once; those that there are see it with their next
    period, or at once where the store was opened with `entitle_at_once`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, product_id: str, *, entitlement_feature: str) -> ProductFeature:
        """Attach a feature to a product, whose subscribers it entitles.

        Args:
            product_id: of the product.
            entitlement_feature: id of an active feature, which does not hang there.

        Raises:
            ResourceMissingError: there is no such product or feature.
            InvalidRequestError: the feature is archived, or hangs there already.
        """
        asked = checked(ProductFeatureCreate, entitlement_feature=entitlement_feature)
        made_id = self._engine.new_id("prodft")
        param = "entitlement_feature"
        with self._engine.writing() as writing:
            product_of(PriceQueries(writing.connection), product_id)
            seen = EntitlementQueries(writing.connection)
            feature = feature_of(seen, asked.entitlement_feature, param)
            check_active(feature, param)
            known = seen.attached(product_id, feature.feature_id)
            if known is not None:
                raise InvalidRequestError(
                    f"Feature {feature.feature_id} is attached to product {product_id}"
                    f" already, as {known.product_feature_id}",
                    code="resource_already_exists",
                    param=param,
                )
            attached = FeatureAttached(
                product_feature_id=made_id,
                product_id=product_id,
                feature_id=feature.feature_id,
                at_once=self._engine.settings.entitle_at_once,
            )
            writing.record([attached])
        return self.retrieve(product_id, made_id)

    def delete(self, product_id: str, product_feature_id: str) -> None:
        """Detach a feature from a product; no other subscriber will get it.

        Args:
            product_id: of the product.
            product_feature_id: of the feature on it.

        Raises:
            ResourceMissingError: there is no such product, or no such feature on it.
        """
        with self._engine.writing() as writing:
            known = _attachment_of(
                EntitlementQueries(writing.connection), product_id, product_feature_id
            )
            detached = FeatureDetached(
                product_feature_id=known.product_feature_id,
                at_once=self._engine.settings.entitle_at_once,
            )
            writing.record([detached])

    def retrieve(self, product_id: str, product_feature_id: str) -> ProductFeature:
        """Return a feature on a product by its id.

        Args:
            product_id: of the product.
            product_feature_id: of the feature on it.

        Raises:
            ResourceMissingError: there is no such product, or no such feature on it.
        """
        with self._engine.log.read() as connection:
            seen = EntitlementQueries(connection)
            found = _attachment_of(seen, product_id, product_feature_id)
            feature = seen.features_used([found.feature_id])[found.feature_id]
        livemode = self._engine.settings.livemode
        return product_feature_resource(found, feature, livemode=livemode)

    def list(
        self,
        product_id: str,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[ProductFeature]:
        """Return the features that hang on a product, the last attached first.

        Args:
            product_id: of the product.
            limit: 1 to 100.
            starting_after: id of the product feature before the first one to list.
            ending_before: id of the product feature behind the last one to list.

        Raises:
            ResourceMissingError: there is no such product, or a cursor is the id of no
                feature on it.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            product_id,
            checked(
                ProductFeatureList,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            ),
        )

    def _page(
        self, product_id: str, asked: ProductFeatureList
    ) -> ListObject[ProductFeature]:
        livemode = self._engine.settings.livemode
        with self._engine.log.read() as connection:
            product_of(PriceQueries(connection), product_id)
            seen = EntitlementQueries(connection)
            page = page_of(
                asked,
                lambda each, at: _attachment_of(seen, product_id, each, at).position,
            )
            found = seen.attachments(product_id, page)
            features = seen.features_used({each.feature_id for each in found})
        shown = [
            product_feature_resource(each, features[each.feature_id], livemode=livemode)
            for each in found
        ]
        return listed(asked, shown, lambda more: self._page(product_id, more))


def _attachment_of(
    seen: EntitlementQueries,
    product_id: object,
    product_feature_id: object,
    param: str = "id",
) -> Attachment:
    """Return a feature that hangs on a product, or refuse the parameter."""
    product = product_of(PriceQueries(seen.connection), product_id)

    def find(wanted: str) -> Attachment | None:
        found = seen.attachment(wanted)
        if found is None or found.detached_at is not None:
            return None
        return found if found.product_id == product.product_id else None

    return found_by_id(find, product_feature_id, "product feature", param)
