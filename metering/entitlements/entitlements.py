"""Entitlements: what may be done to features, and who has them."""

from collections.abc import Sequence
from functools import cached_property

from ledger.commits import read_head
from ledger.entries import recording_instant
from metering.arguments.clock import at_or_none
from metering.arguments.ids import found_by_id
from metering.arguments.schema import checked
from metering.entitlements.active_entitlements import ActiveEntitlements
from metering.entitlements.features import Features
from metering.entitlements.product_features import ProductFeatures
from metering.entitlements.requests import EntitlementQuestion
from metering.entitlements.resources import EntitlementCheck
from metering.store.engine import Engine
from projections.entitlements.queries import EntitlementQueries
from projections.kernels.entitlements import EntitlementTimeline, FeatureDefinition


class Entitlements:
    """Features, the products that have them, and the customers who have them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @cached_property
    def features(self) -> Features:
        """What products entitle to."""
        return Features(self._engine)

    @cached_property
    def product_features(self) -> ProductFeatures:
        """Which features hang on which products."""
        return ProductFeatures(self._engine)

    @cached_property
    def active_entitlements(self) -> ActiveEntitlements:
        """Which features customers have now."""
        return ActiveEntitlements(self._engine)

    def check(self, *, customer: str, feature: str) -> EntitlementCheck:
        """Answer whether a customer has a feature now.

        It takes some microseconds where nothing has changed since it was asked before,
        and so may be asked for each request.

        Args:
            customer: any; one without subscriptions has none.
            feature: its id, or its lookup key.

        Raises:
            ResourceMissingError: there is no such feature.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(EntitlementQuestion, customer=customer, feature=feature)
        engine, memory = self._engine, self._engine.entitlements
        head = engine.log.head()
        known = memory.known(head.facts_position, asked.customer, asked.feature)
        if known is None:
            named, timeline, now = self._read(asked)
        else:
            # A customer of a test clock is never kept there.
            named, timeline = known
            now = recording_instant(head, engine.now())
        # Of features with one lookup key, those that are archived may be had still.
        found = next(
            (each for each in named if timeline.has(each.feature_id, now)), named[-1]
        )
        return EntitlementCheck(
            customer=asked.customer,
            entitled=timeline.has(found.feature_id, now),
            feature=found.feature_id,
            livemode=engine.settings.livemode,
            lookup_key=found.lookup_key,
            until=at_or_none(timeline.next_change(found.feature_id, now)),
        )

    def _read(
        self, asked: EntitlementQuestion
    ) -> tuple[Sequence[FeatureDefinition], EntitlementTimeline, int]:
        memory = self._engine.entitlements
        with self._engine.log.read() as connection:
            seen = EntitlementQueries(connection)
            head = read_head(connection)
            memory.follow(seen, head.facts_position)
            now = self._engine.present(seen, asked.customer, head=head)
            known = memory.known(head.facts_position, asked.customer, asked.feature)
            if known is not None:
                return *known, now

            def find(name: str) -> Sequence[FeatureDefinition] | None:
                found = seen.feature(name)
                return seen.with_lookup_key(name) or None if found is None else [found]

            named = found_by_id(find, asked.feature, "feature", "feature")
            clocked = self._engine.clocked(seen, head)
            timeline = seen.of_customer(asked.customer, clocked).timeline
            if asked.customer not in clocked.times:
                its = asked.customer, timeline
                memory.keep(head.facts_position, (asked.feature, named), its)
        return named, timeline, now
