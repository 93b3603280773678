"""Active entitlements: which features a customer has now."""

from ledger.commits import read_head
from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, within_page
from metering.arguments.schema import checked
from metering.entitlements.requests import ActiveEntitlementList
from metering.entitlements.resources import ActiveEntitlement
from metering.entitlements.shown import (
    entitlement_resource,
    entitlement_resources,
    positions_of,
)
from metering.store.engine import Engine
from projections.entitlements.queries import EntitlementQueries


class ActiveEntitlements:
    """The features that customers have, by their subscriptions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def retrieve(self, entitlement_id: str) -> ActiveEntitlement:
        """Return what a customer has now by its id.

        Raises:
            ResourceMissingError: there is no such entitlement, or it has ended.
        """
        with self._engine.log.read() as connection:
            seen = EntitlementQueries(connection)

            def find(wanted: str) -> ActiveEntitlement | None:
                return self._found(seen, wanted)

            return found_by_id(find, entitlement_id, "active entitlement")

    def list(
        self,
        customer: str,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[ActiveEntitlement]:
        """Return what a customer has now, the newest features first.

        A customer has a feature while it has a subscription, active or on trial, to a
        product that entitles to it.

        Args:
            customer: any; one without subscriptions has none.
            limit: 1 to 100.
            starting_after: id of the entitlement before the first one to list.
            ending_before: id of the entitlement behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of nothing that the customer has.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                ActiveEntitlementList,
                customer=customer,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: ActiveEntitlementList) -> ListObject[ActiveEntitlement]:
        with self._engine.log.read() as connection:
            seen = EntitlementQueries(connection)
            head = read_head(connection)
            now = self._engine.present(seen, asked.customer, head=head)
            clocked = self._engine.clocked(seen, head)
            found = seen.of_customer(asked.customer, clocked)
            has = entitlement_resources(
                seen,
                found.first_position,
                found.timeline.had_at(now),
                livemode=self._engine.settings.livemode,
            )
        page = within_page(asked, has, [each.id for each in has], "active entitlement")
        return listed(asked, page, self._page)

    def _found(
        self, seen: EntitlementQueries, entitlement_id: str
    ) -> ActiveEntitlement | None:
        positions = positions_of(entitlement_id)
        if positions is None:
            return None
        first_position, feature_position = positions
        customer = seen.customer_at(first_position)
        feature = seen.feature_at(feature_position)
        if customer is None or feature is None:
            return None
        head = read_head(seen.connection)
        now = self._engine.present(seen, customer, head=head)
        found = seen.of_customer(customer, self._engine.clocked(seen, head))
        livemode = self._engine.settings.livemode
        shown = entitlement_resource(first_position, feature, livemode=livemode)
        is_its = found.first_position == first_position and shown.id == entitlement_id
        has = found.timeline.has(feature.feature_id, now)
        return shown if is_its and has else None
