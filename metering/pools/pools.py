"""Credit pools: what may be done to them.

A pool's grants are grants as others are, and belong to the pool in place of a customer.
Who is a member when an invoice is applied or a hold is made draws from them, behind all
of its own and never more than its cap. A pool is not a customer: nothing draws for it.
"""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from ledger.facts.credits.pools import (
    CreditPoolArchived,
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    CreditPoolUpdated,
)
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.credits.pooling import open_pool, pool_of
from metering.credits.requests import CreditAmountParams
from metering.pools import refusals
from metering.pools.balances import pool_balance
from metering.pools.caps import (
    Cap,
    check_cap_of_member,
    check_cap_of_pool,
    check_currency,
)
from metering.pools.requests import (
    CreditPoolCreate,
    CreditPoolList,
    CreditPoolUpdate,
    PoolBalanceQuery,
    PoolMemberAdd,
    PoolMemberList,
    PoolMemberRemove,
)
from metering.pools.resources import CreditPool, CreditPoolBalance, CreditPoolMember
from metering.pools.shown import member_resource, pool_resource
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.credits.pools import Pool, PoolMember, member_added
from projections.pools.queries import PoolQueries


class CreditPools:
    """The credit pools of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        *,
        id: str,  # noqa: A002  # what all resources call it
        name: str | None = None,
        cap: CreditAmountParams | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> CreditPool:
        """Make a pool, whose members share the credits that are granted to it.

        Doing it again under the same id answers the pool, as long as it is not changed.

        Args:
            id: of the pool, of your own, 1 to 100 characters; used once.
            name: 1 to 100 characters, for people.
            cap: what each member may draw and hold of the pool at most, as long as it
                lasts: ``{"type": "monetary", "monetary": {"currency": "usd", "value":
                500}}``. What an invoice or a hold gives back counts no more. The pool's
                grants are in the currency of its caps. None is no bound.
            metadata: up to 50 strings of the caller's own.

        Raises:
            InvalidRequestError: an argument is malformed, or the id is that of a member
                of a pool, or of a pool that was made with other content.
        """
        asked = checked(CreditPoolCreate, id=id, name=name, cap=cap, metadata=metadata)
        value, currency = Cap.of(asked.cap)
        wanted = CreditPoolCreated(
            pool_id=asked.id,
            name=asked.name,
            cap=value,
            currency=currency,
            metadata=merge_metadata({}, asked.metadata or None),
        )
        with self._engine.writing() as writing:
            pools = PoolQueries(writing.connection)
            known = pools.pool(wanted.pool_id)
            if known is None:
                if pools.members_among([wanted.pool_id]):
                    raise refusals.member_as_pool(wanted.pool_id)
                writing.record([wanted])
            else:
                _check_same(known, wanted)
        return self.retrieve(wanted.pool_id)

    def update(
        self,
        pool_id: str,
        *,
        name: str | UnsetType | None = UNSET,
        cap: CreditAmountParams | UnsetType | None = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> CreditPool:
        """Change a pool; what is left out stays as it is.

        Args:
            pool_id: of the pool.
            name: for people; None or ``""`` takes it away.
            cap: of the members that have none of their own, and no less than what any
                of them has drawn and holds; None or ``""`` is no bound.
            metadata: is merged into the pool's own: an empty string removes its key,
                and None or ``""`` removes every pair.

        Raises:
            ResourceMissingError: there is no such pool.
            InvalidRequestError: an argument is malformed, the cap is below what a member
                has drawn and holds or in another currency, or the pool is archived.
        """
        asked = checked(CreditPoolUpdate, name=name, cap=cap, metadata=metadata)
        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
            known = open_pool(seen, pool_id, "id")
            wanted = Cap(known.cap, known.currency)
            if not isinstance(asked.cap, UnsetType):
                wanted = Cap.of(asked.cap)
                check_currency(seen, known, wanted, is_own=False)
                check_cap_of_pool(seen, known, wanted, writing.now)
            updated = CreditPoolUpdated(
                pool_id=known.pool_id,
                name=known.name if isinstance(asked.name, UnsetType) else asked.name,
                cap=wanted.value,
                currency=wanted.currency,
                metadata=known.metadata
                if isinstance(asked.metadata, UnsetType)
                else merge_metadata(known.metadata, asked.metadata),
            )
            if _content(updated) != _content(known):
                writing.record([updated])
        return self.retrieve(pool_id)

    def archive(self, pool_id: str) -> CreditPool:
        """Close a pool: its members leave it, and none can join it any more.

        What they drew stays drawn, and what they hold held. Its grants stay, and can be
        expired and voided. Doing it again changes nothing.

        Raises:
            ResourceMissingError: there is no such pool.
        """
        with self._engine.writing() as writing:
            known = pool_of(CreditQueries(writing.connection), pool_id, "id")
            if known.archived_at is None:
                writing.record([CreditPoolArchived(pool_id=known.pool_id)])
        return self.retrieve(pool_id)

    def retrieve(self, pool_id: str) -> CreditPool:
        """Return a pool by its id.

        Raises:
            ResourceMissingError: there is no such pool.
        """
        with self._engine.credits(customers=()) as (seen, _):
            found = pool_of(seen, pool_id, "id")
        return pool_resource(found, livemode=self._livemode)

    def list(
        self,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[CreditPool]:
        """Return pools, newest first, archived ones too.

        Args:
            limit: 1 to 100.
            starting_after: id of the pool before the first one to list.
            ending_before: id of the pool behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no pool.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                CreditPoolList,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def add_member(
        self, pool_id: str, *, customer: str, cap: CreditAmountParams | None = None
    ) -> CreditPoolMember:
        """Let a customer draw from a pool, from now on.

        Args:
            pool_id: of the pool.
            customer: any string of 1 to 500 characters but the id of a pool.
            cap: what it may draw and hold at most, in place of the pool's cap; what it
                drew and holds from an earlier time in the pool counts. None is the cap
                of the pool.

        Raises:
            ResourceMissingError: there is no such pool.
            InvalidRequestError: an argument is malformed, the customer is a member or
                a pool, the pool is archived, or the cap is in another currency than the
                pool's grants or below what the customer has already.
        """
        asked = checked(PoolMemberAdd, customer=customer, cap=cap)
        own = Cap.of(asked.cap)
        with self._engine.writing() as writing:
            seen = CreditQueries(writing.connection)
            pools = PoolQueries(writing.connection)
            pool = open_pool(seen, pool_id, "id")
            if asked.customer in self._engine.clocked(writing, writing.head).times:
                raise refusals.lives_by_a_clock(pool.pool_id, asked.customer)
            if pools.pool(asked.customer) is not None:
                raise refusals.pool_as_member(pool.pool_id, asked.customer)
            if pools.member(pool.pool_id, asked.customer) is not None:
                raise refusals.joined_already(pool.pool_id, asked.customer)
            check_currency(seen, pool, own, is_own=True)
            check_cap_of_member(seen, pool, asked.customer, own, writing.now)
            added = CreditPoolMemberAdded(
                pool_id=pool.pool_id,
                customer=asked.customer,
                cap=own.value,
                currency=own.currency,
            )
            writing.record([added])
        assert writing.commit is not None, "it was just recorded"
        at = writing.commit.last_position, writing.commit.recorded_at
        made = member_added(added, *at)
        return member_resource(made, livemode=self._livemode)

    def remove_member(self, pool_id: str, *, customer: str) -> CreditPoolMember:
        """Let a customer draw from a pool no more, from now on.

        What it drew stays drawn, and goes back to the pool's grants if its invoice gives
        it back; what it holds stays held, and is settled or released as ever.

        Raises:
            ResourceMissingError: there is no such pool.
            InvalidRequestError: the customer is no member.
        """
        asked = checked(PoolMemberRemove, customer=customer)
        with self._engine.writing() as writing:
            pool = pool_of(CreditQueries(writing.connection), pool_id, "id")
            pools = PoolQueries(writing.connection)
            member = pools.member(pool.pool_id, asked.customer)
            if member is None:
                raise refusals.no_member(pool.pool_id, asked.customer)
            removed = CreditPoolMemberRemoved(
                pool_id=pool.pool_id, customer=asked.customer
            )
            writing.record([removed])
        assert writing.commit is not None, "it was just recorded"
        left = member.after_leaving(writing.commit.recorded_at)
        return member_resource(left, livemode=self._livemode)

    def retrieve_member(self, pool_id: str, *, customer: str) -> CreditPoolMember:
        """Return a customer as the member of a pool that it is, or was last.

        Raises:
            ResourceMissingError: there is no such pool, or the customer never joined it.
        """
        asked = checked(PoolMemberRemove, customer=customer)
        with self._engine.credits(customers=()) as (seen, _):
            pool, pools = pool_of(seen, pool_id, "id"), PoolQueries(seen.connection)
            found = found_by_id(
                lambda each: pools.last_member(pool.pool_id, each),
                asked.customer,
                "member",
                "customer",
            )
        return member_resource(found, livemode=self._livemode)

    def list_members(
        self,
        pool_id: str,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[CreditPoolMember]:
        """Return the members that a pool has now, the last that joined first.

        Args:
            pool_id: of the pool.
            limit: 1 to 100.
            starting_after: the customer before the first one to list.
            ending_before: the customer behind the last one to list.

        Raises:
            ResourceMissingError: there is no such pool, or a cursor is no member.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page_of_members(
            pool_id,
            checked(
                PoolMemberList,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            ),
        )

    def balance(
        self,
        pool_id: str,
        *,
        customer: str | None = None,
        credit_grant: str | None = None,
    ) -> CreditPoolBalance:
        """Add up what is left of a pool now, by currency.

        `CreditBalanceSummaries` of a member has nothing of it: what is shared is nobody's
        alone.

        Args:
            pool_id: of the pool.
            customer: a member, to know what of it that member could draw now.
            credit_grant: id of one of its grants; None is all of them.

        Raises:
            ResourceMissingError: there is no such pool, or it has no such grant.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(PoolBalanceQuery, customer=customer, credit_grant=credit_grant)
        with self._engine.credits(customers=()) as (seen, now):
            pool = pool_of(seen, pool_id, "id")
            return pool_balance(seen, pool, asked, now, livemode=self._livemode)

    def _page(self, asked: CreditPoolList) -> ListObject[CreditPool]:
        with self._engine.credits(customers=()) as (seen, _):
            page = page_of(asked, lambda each, at: pool_of(seen, each, at).position)
            found = PoolQueries(seen.connection).page(page)
        made = [pool_resource(each, livemode=self._livemode) for each in found]
        return listed(asked, made, self._page)

    def _page_of_members(
        self, pool_id: str, asked: PoolMemberList
    ) -> ListObject[CreditPoolMember]:
        with self._engine.credits(customers=()) as (seen, _):
            pools, pool = PoolQueries(seen.connection), pool_of(seen, pool_id, "id")

            def member_of(customer: str) -> PoolMember | None:
                return pools.member(pool.pool_id, customer)

            page = page_of(
                asked,
                lambda each, at: found_by_id(member_of, each, "member", at).position,
            )
            found = pools.page_of_members(pool.pool_id, page)
        made = [member_resource(each, livemode=self._livemode) for each in found]
        return listed(
            asked,
            made,
            lambda page: self._page_of_members(pool_id, page),
            lambda each: each.customer,
        )

    @property
    def _livemode(self) -> bool:
        return self._engine.settings.livemode


def _content(
    pool: Pool | CreditPoolCreated | CreditPoolUpdated,
) -> dict[str, object]:
    """Return all that can change of a pool."""
    return {
        "name": pool.name,
        "cap": (pool.cap, pool.currency),
        "metadata": pool.metadata,
    }


def _check_same(known: Pool, wanted: CreditPoolCreated) -> None:
    """Check that a pool is what is to be made under its id.

    Raises:
        InvalidRequestError: it differs.
    """
    asked, has = _content(wanted), _content(known)
    differing = [name for name, value in asked.items() if value != has[name]]
    if differing:
        raise refusals.conflicting(known.pool_id, differing)
