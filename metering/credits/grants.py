"""Credit grants, prepaid or given: what may be done to them.

Whether a grant is pending, usable, used up, expired or voided is stored nowhere: it
follows from the grant, from what was applied of it, and from the instant.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantUpdated,
    CreditGrantVoided,
    GrantCategory,
)
from metering.arguments.clock import at_microseconds, at_or_none
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, PageRequest, listed, page_of
from metering.arguments.refusals import exclusive
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant
from metering.credits.amounts import money_of
from metering.credits.owners import owner_of
from metering.credits.pooling import check_currency_of_caps, open_pool, pool_of
from metering.credits.requests import (
    ApplicabilityConfigParams,
    CategoryName,
    CreditAmountParams,
    CreditGrantCreate,
    CreditGrantList,
    CreditGrantUpdate,
    PoolGrantCreate,
    PoolGrantList,
)
from metering.credits.resources import CreditGrant, monetary
from metering.credits.scopes import applicability_of, prices_of
from metering.errors import InvalidRequestError
from metering.store.customer_time import present_of, with_clock
from metering.store.engine import Engine
from projections.credits.pools.grants import PoolGrants
from projections.credits.queries import CreditQueries
from projections.kernels.credits.grants import Grant
from projections.rows import Page


class CreditGrants:
    """The credit grants of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a grant have names
        self,
        *,
        customer: str | None = None,
        pool: str | None = None,
        amount: CreditAmountParams,
        applicability_config: ApplicabilityConfigParams,
        category: CategoryName = "paid",
        priority: int = 50,
        name: str | None = None,
        effective_at: Time | None = None,
        expires_at: Time | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> CreditGrant:
        """Grant credits to a customer, or to a pool.

        Args:
            customer: any string of 1 to 500 characters.
            pool: id of a pool, in place of a customer: its members share the credits,
                and draw them behind all of their own; see `CreditPools`.
            amount: ``{"type": "monetary", "monetary": {"currency": "usd", "value":
                1000}}``, in minor units of the currency.
            applicability_config: ``{"scope": {"price_type": "metered"}}`` for every
                metered price, or ``{"scope": {"prices": [{"id": …}]}}`` for up to 20.
            category: whether the customer paid for them.
            priority: 0 to 100; a lower one is used first.
            name: 1 to 100 characters, for people.
            effective_at: from when on they can be used; None is now, and a time that
                has passed is allowed.
            expires_at: until when, exclusive; None is for ever.
            metadata: up to 50 strings of the caller's own.

        Raises:
            ResourceMissingError: there is no such pool.
            InvalidRequestError: an argument is malformed, the expiry is not after the
                effective time and now, the customer or pool has too many unused grants,
                or the pool is archived or caps its members in another currency.
        """
        if pool is not None and customer is not None:
            raise exclusive("customer", "customer", "pool")
        owner = {"customer": customer} if pool is None else {"pool": pool}
        asked = checked(
            CreditGrantCreate if pool is None else PoolGrantCreate,
            **owner,
            amount=amount,
            applicability_config=applicability_config,
            category=category,
            priority=priority,
            name=name,
            effective_at=effective_at,
            expires_at=expires_at,
            metadata=metadata,
        )
        value, currency = money_of(asked.amount, "amount")
        scope = asked.applicability_config["scope"]
        wanted = CreditGrantCreated(
            grant_id=self._engine.new_id("credgr"),
            customer=customer or "",
            pool=pool,
            amount=value,
            currency=currency,
            prices=prices_of(scope, "applicability_config[scope]"),
            category=GrantCategory(asked.category),
            name=asked.name,
            priority=asked.priority,
            effective_at=0,
            expires_at=_optional(expires_at, "expires_at"),
            metadata=merge_metadata({}, asked.metadata or None),
        )
        effective = _optional(effective_at, "effective_at")

        owners = [] if wanted.pool else [wanted.customer]
        with self._engine.writing_credits(lambda _: owners) as (writing, seen):
            start = writing.now if effective is None else effective
            _check_expiry(wanted.expires_at, start, writing.now)
            self._check_owner(seen, wanted, writing.now)
            writing.record([msgspec.structs.replace(wanted, effective_at=start)])
        return self.retrieve(wanted.grant_id)

    def update(
        self,
        grant_id: str,
        *,
        expires_at: Time | UnsetType | None = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> CreditGrant:
        """Change when a grant expires, or its metadata.

        Args:
            grant_id: of the grant.
            expires_at: in the future and after the grant's effective time; None or ``""``
                is never.
            metadata: is merged into the grant's own: an empty string removes its key,
                and None or ``""`` removes every pair.

        Raises:
            ResourceMissingError: there is no such grant.
            InvalidRequestError: an argument is malformed, or the expiry of a grant that
                is expired or voided was to be changed.
        """
        asked = checked(CreditGrantUpdate, expires_at=expires_at, metadata=metadata)
        expiry: int | UnsetType | None = UNSET
        if not isinstance(asked.expires_at, UnsetType):
            expiry = _optional(asked.expires_at, "expires_at")
        pairs = asked.metadata

        with self._engine.writing_credits(owner_of(grant_id)) as (writing, seen):
            grant = grant_of(seen, grant_id)
            updated = CreditGrantUpdated(
                grant_id=grant_id,
                expires_at=grant.expires_at
                if isinstance(expiry, UnsetType)
                else expiry,
                metadata=grant.metadata
                if isinstance(pairs, UnsetType)
                else merge_metadata(grant.metadata, pairs),
            )
            if updated.expires_at != grant.expires_at:
                _check_not_over(grant, writing.now)
                _check_expiry(updated.expires_at, grant.effective_at, writing.now)
            known = grant.expires_at, grant.metadata
            if (updated.expires_at, updated.metadata) != known:
                writing.record([updated])
        return self.retrieve(grant_id)

    def expire(self, grant_id: str) -> CreditGrant:
        """Let a grant expire now; what is free of it is forfeited.

        What a hold keeps of it stays until the hold ends.

        Raises:
            ResourceMissingError: there is no such grant.
            InvalidRequestError: it is expired or voided already.
        """
        with self._engine.writing_credits(owner_of(grant_id)) as (writing, seen):
            _check_not_over(grant_of(seen, grant_id), writing.now)
            writing.record([CreditGrantExpired(grant_id=grant_id)])
        return self.retrieve(grant_id)

    def void(self, grant_id: str) -> CreditGrant:
        """Take a grant back, while no invoice and no hold has any of it.

        Raises:
            ResourceMissingError: there is no such grant.
            InvalidRequestError: credits of it are applied to an invoice or held, or it
                is expired or voided already.
        """
        with self._engine.writing_credits(owner_of(grant_id)) as (writing, seen):
            grant = grant_of(seen, grant_id)
            _check_not_over(grant, writing.now)
            if grant.applied:
                raise InvalidRequestError(
                    f"Credit grant {grant_id} cannot be voided: {grant.applied} of"
                    f" {grant.amount} {grant.currency} are applied to invoices; expire"
                    " it to forfeit the rest",
                    code="credit_grant_applied",
                    param="id",
                )
            [grant] = seen.holds.with_held([grant], writing.now)
            if grant.held:
                raise InvalidRequestError(
                    f"Credit grant {grant_id} cannot be voided: {grant.held} of"
                    f" {grant.amount} {grant.currency} are held; settle or release"
                    " the holds first",
                    code="grant_in_use",
                    param="id",
                )
            writing.record([CreditGrantVoided(grant_id=grant_id)])
        return self.retrieve(grant_id)

    def retrieve(self, grant_id: str) -> CreditGrant:
        """Return a grant by its id.

        Raises:
            ResourceMissingError: there is no such grant.
        """
        with self._engine.credits(owner_of(grant_id)) as (seen, now):
            grant = grant_of(seen, grant_id)
            present_of(seen.clocked, [grant.customer], now)
            return self._resources(seen, [grant])[0]

    def list(
        self,
        customer: str | None = None,
        *,
        pool: str | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[CreditGrant]:
        """Return grants, of one customer or pool or of all, newest first.

        Args:
            customer: whose grants; None is every customer and every pool.
            pool: id of the pool that they belong to, in place of a customer.
            limit: 1 to 100.
            starting_after: id of the grant before the first one to list.
            ending_before: id of the grant behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no grant, or there is no such
                pool.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        if pool is not None:
            if customer is not None:
                raise exclusive("customer", "customer", "pool")
            return self._page_of_pool(
                checked(
                    PoolGrantList,
                    pool=pool,
                    limit=limit,
                    starting_after=starting_after,
                    ending_before=ending_before,
                )
            )
        return self._page(
            checked(
                CreditGrantList,
                customer=customer,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: CreditGrantList) -> ListObject[CreditGrant]:
        whose = None if asked.customer is None else [asked.customer]
        with self._engine.credits(whose) as (seen, _):
            found = seen.page_of_grants(asked.customer, _rows_of(seen, asked))
            return listed(asked, self._resources(seen, found), self._page)

    def _page_of_pool(self, asked: PoolGrantList) -> ListObject[CreditGrant]:
        with self._engine.credits(customers=()) as (seen, _):
            pool = pool_of(seen, asked.pool, "pool")
            found = PoolGrants(seen, pool.pool_id).page(_rows_of(seen, asked))
            return listed(asked, self._resources(seen, found), self._page_of_pool)

    def _resources(
        self, seen: CreditQueries, found: Sequence[Grant]
    ) -> Sequence[CreditGrant]:
        livemode = self._engine.settings.livemode
        return [
            with_clock(
                seen.clocked, grant_resource(each, livemode=livemode), each.customer
            )
            for each in found
        ]

    def _check_owner(
        self, seen: CreditQueries, wanted: CreditGrantCreated, now: int
    ) -> None:
        """Check that a customer or a pool can have one more grant."""
        if wanted.pool is None:
            owner, unused = "customer", seen.unused_count(wanted.customer, now)
        else:
            pool = open_pool(seen, wanted.pool, "pool")
            param = "amount[monetary][currency]"
            check_currency_of_caps(seen, pool, wanted.currency, param)
            owner, unused = "pool", PoolGrants(seen, pool.pool_id).unused_count(now)
        most = self._engine.settings.credit_grants_max
        if unused >= most:
            raise InvalidRequestError(
                f"The {owner} has {unused} unused credit grants; must be at most"
                f" {most}, so void or expire one first",
                code="credit_grant_limit_reached",
                param=owner,
            )


def grant_of(seen: CreditQueries, grant_id: object, param: str = "id") -> Grant:
    """Return a grant by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.grant, grant_id, "credit grant", param)


def _rows_of(seen: CreditQueries, asked: PageRequest) -> Page:
    return page_of(asked, lambda each, at: grant_of(seen, each, at).position)


def grant_resource(grant: Grant, *, livemode: bool) -> CreditGrant:
    """Return a grant as a resource."""
    origin = grant.origin
    return CreditGrant(
        id=grant.grant_id,
        amount=monetary(grant.currency, grant.amount),
        applicability_config=applicability_of(grant.prices),
        category=grant.category.value,
        created=at_microseconds(grant.created),
        updated=at_microseconds(grant.updated),
        customer=grant.customer or None,
        effective_at=at_microseconds(grant.effective_at),
        expires_at=at_or_none(grant.expires_at),
        livemode=livemode,
        metadata=dict(grant.metadata),
        name=grant.name,
        pool=grant.pool,
        priority=grant.priority,
        schedule=None if origin is None else origin.schedule_id,
        schedule_period=None if origin is None else origin.period,
        schedule_rollover=None if origin is None else origin.is_rollover,
        voided_at=at_or_none(grant.voided_at),
    )


def _optional(time: Time | None, param: str) -> int | None:
    return None if time is None else instant(time, param)


def _check_not_over(grant: Grant, now: int) -> None:
    """Refuse what cannot be done to a grant that is voided or expired."""
    if grant.is_voided(now):
        ended, at = "voided", grant.voided_at
    elif grant.is_expired(now):
        ended, at = "expired", grant.expires_at
    else:
        return
    since = at_microseconds(at or 0).isoformat()
    raise InvalidRequestError(
        f"Credit grant {grant.grant_id} is {ended} since {since}",
        code=f"credit_grant_{ended}",
        param="id",
    )


def _check_expiry(expires_at: int | None, effective_at: int, now: int) -> None:
    """Check that a grant is usable for some time, at least from now on."""
    if expires_at is None:
        return
    given = at_microseconds(expires_at).isoformat()
    if expires_at <= now:
        raise InvalidRequestError(
            f"Invalid expires_at: {given}; must be in the future", param="expires_at"
        )
    if expires_at <= effective_at:
        start = at_microseconds(effective_at).isoformat()
        raise InvalidRequestError(
            f"Invalid expires_at: {given}; must be after effective_at, {start}",
            param="expires_at",
        )
