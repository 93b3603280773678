"""Features: what products entitle to, and what may be done to them."""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from ledger.facts.entitlements import FeatureCreated, FeatureUpdated
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.entitlements.requests import FeatureCreate, FeatureList, FeatureUpdate
from metering.entitlements.resources import Feature
from metering.entitlements.shown import feature_of, feature_resource
from metering.errors import InvalidRequestError
from metering.store.engine import Engine
from projections.entitlements.queries import EntitlementQueries, FeatureFilter
from projections.kernels.entitlements import FeatureDefinition, feature_updated


class Features:
    """The features of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        lookup_key: str,
        name: str,
        metadata: Mapping[str, str] | None = None,
    ) -> Feature:
        """Create a feature, which products can entitle to.

        Args:
            lookup_key: up to 80 characters, by which a program asks for it. It never
                changes, and no other active feature has it.
            name: up to 80 characters, for people.
            metadata: up to 50 strings of the caller's own.

        Raises:
            InvalidRequestError: an argument is malformed, or the lookup key is taken.
        """
        asked = checked(
            FeatureCreate, lookup_key=lookup_key, name=name, metadata=metadata
        )
        created = FeatureCreated(
            feature_id=self._engine.new_id("feat"),
            lookup_key=asked.lookup_key,
            name=asked.name,
            metadata=merge_metadata({}, asked.metadata or None),
        )
        with self._engine.writing() as writing:
            seen = EntitlementQueries(writing.connection)
            for known in seen.with_lookup_key(asked.lookup_key):
                if known.active:
                    raise InvalidRequestError(
                        f"A feature (`{known.feature_id}`) already uses that lookup"
                        " key; archive it, or give another key",
                        code="resource_already_exists",
                        param="lookup_key",
                    )
            writing.record([created])
        return self.retrieve(created.feature_id)

    def update(
        self,
        feature_id: str,
        *,
        active: bool | UnsetType = UNSET,
        name: str | UnsetType = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> Feature:
        """Change a feature, or archive it.

        One that is archived stays on the products that have it, and customers keep it.
        It can be neither changed nor attached any more, and its lookup key is free.

        Args:
            feature_id: of the feature.
            active: False archives it.
            name: for people.
            metadata: an empty string removes its key; None removes every pair.

        Raises:
            ResourceMissingError: there is no such feature.
            InvalidRequestError: an argument is malformed, or it is archived.
        """
        asked = checked(FeatureUpdate, active=active, name=name, metadata=metadata)
        with self._engine.writing() as writing:
            known = feature_of(EntitlementQueries(writing.connection), feature_id)
            check_active(known, "id")
            updated = _updated(known, asked)
            if feature_updated(known, updated) != known:
                writing.record([updated])
        return self.retrieve(feature_id)

    def retrieve(self, feature_id: str) -> Feature:
        """Return a feature by its id, archived or not.

        Raises:
            ResourceMissingError: there is no such feature.
        """
        with self._engine.log.read() as connection:
            found = feature_of(EntitlementQueries(connection), feature_id)
        return feature_resource(found, livemode=self._engine.settings.livemode)

    def list(
        self,
        *,
        archived: bool = False,
        lookup_key: str | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Feature]:
        """Return features, newest first.

        Args:
            archived: those that are archived, and not the others.
            lookup_key: only those with this one.
            limit: 1 to 100.
            starting_after: id of the feature before the first one to list.
            ending_before: id of the feature behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no feature.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                FeatureList,
                archived=archived,
                lookup_key=lookup_key,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: FeatureList) -> ListObject[Feature]:
        wanted = FeatureFilter(lookup_key=asked.lookup_key, active=not asked.archived)
        with self._engine.log.read() as connection:
            seen = EntitlementQueries(connection)
            page = page_of(asked, lambda each, at: feature_of(seen, each, at).position)
            found = seen.features(wanted, page)
        livemode = self._engine.settings.livemode
        shown = [feature_resource(each, livemode=livemode) for each in found]
        return listed(asked, shown, self._page)


def check_active(feature: FeatureDefinition, param: str) -> None:
    """Refuse a feature that is archived.

    Raises:
        InvalidRequestError: it is.
    """
    if not feature.active:
        raise InvalidRequestError(
            f"Feature {feature.feature_id} is archived, which is final; create another"
            " one under its lookup key",
            code="feature_archived",
            param=param,
        )


def _updated(known: FeatureDefinition, asked: FeatureUpdate) -> FeatureUpdated:
    metadata = known.metadata
    if not isinstance(asked.metadata, UnsetType):
        metadata = merge_metadata(metadata, asked.metadata)
    return FeatureUpdated(
        feature_id=known.feature_id,
        active=known.active if isinstance(asked.active, UnsetType) else asked.active,
        name=known.name if isinstance(asked.name, UnsetType) else asked.name,
        metadata=metadata,
    )
