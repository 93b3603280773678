"""Credit balances: what is left of a customer's credits, at any instant.

A past instant is answered as it stood, a future one as it will stand if nothing else
happens: grants become effective and expire by themselves. Now, unbilled usage may count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from ledger.usage.columns import TIMESTAMP
from metering.arguments.clock import at_microseconds
from metering.arguments.refusals import check_only, exclusive
from metering.arguments.schema import checked
from metering.arguments.times import Time, instant, span_of
from metering.credits.ahead import ahead_by_position, grants_ahead
from metering.credits.grants import grant_of
from metering.credits.requests import (
    CreditBalanceQuery,
    CreditBalanceWithUsage,
    CreditFilterParams,
)
from metering.credits.resources import CreditBalance, CreditBalanceSummary, monetary
from metering.credits.scopes import prices_of
from metering.errors import ResourceMissingError
from metering.spending.burn_down import BurnDown, is_own
from metering.store.engine import Engine
from projections.credits.pools.moved import grants_moved_by
from projections.credits.queries import CreditQueries, present_balances
from projections.kernels.credits.balances import (
    Balance,
    InstantSpan,
    applied_since,
    balances,
    running_balances,
)
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.holds import held_at
from projections.kernels.credits.timeline import transactions

HISTORY = pa.schema(
    [
        pa.field("instant", TIMESTAMP, nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("ledger_balance", pa.int64(), nullable=False),
        pa.field("available_balance", pa.int64(), nullable=False),
        pa.field("held_balance", pa.int64(), nullable=False),
    ]
)

_HasScope = Callable[[tuple[str, ...] | None], bool]


class CreditBalanceSummaries:
    """The credit balances of a store."""

    def __init__(self, engine: Engine, burn_down: BurnDown) -> None:
        self._engine = engine
        self._burn_down = burn_down

    def retrieve(
        self,
        *,
        customer: str,
        filter: CreditFilterParams | None = None,  # noqa: A002  # the name that Stripe gives it
        at: Time | None = None,
        include_unbilled_usage: bool = False,
    ) -> CreditBalanceSummary:
        """Add up what is left of a customer's own credits, by currency.

        What its pools have is nobody's alone, and in no balance of a member; see
        `CreditPools.balance`.

        Args:
            customer: any; one without grants has no balances.
            filter: which grants count: ``{"type": "applicability_scope",
                "applicability_scope": {"price_type": "metered"}}`` those for every
                metered price, or with ``{"prices": [{"id": …}]}`` those usable for any
                of the prices; ``{"type": "credit_grant", "credit_grant": id}`` one
                grant. None is all.
            at: the instant, past or future; None is now.
            include_unbilled_usage: whether the available balance is what unbilled usage
                leaves: that of the customer's subscriptions, in all their periods, that
                no finalised statement covers. It draws as statements of these periods
                will, one after the other, and is current to the last event. Now only.

        Returns:
            A balance for each currency of the grants recorded by then, sorted; and with
            unbilled usage for each of its currencies.

        Raises:
            ResourceMissingError: the customer has no such grant.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(
            CreditBalanceWithUsage,
            customer=customer,
            filter=filter,
            at=at,
            include_unbilled_usage=include_unbilled_usage,
        )
        owner = asked.customer
        wanted = None if asked.at is None else instant(asked.at, "at")
        if asked.include_unbilled_usage:
            if wanted is not None:
                raise exclusive("at", "at", "include_unbilled_usage")
            return self._with_unbilled_usage(asked)
        if wanted is None and asked.filter is None:
            present = self._at_once(asked)
            if present is not None:
                return present
        with self._engine.credits([owner]) as (seen, now):
            then = now if wanted is None else wanted
            chosen = chosen_grants(seen, owner, asked.filter)
            ahead = [
                each for each in grants_ahead(seen, owner, then) if chosen.has(each)
            ]
            if then < now:
                found = _balances_then(seen, owner, chosen, then)
            else:
                found = _balances_from_now(seen, owner, chosen, then)
        if ahead:
            for currency, balance in balances(ahead, {}, {}, then).items():
                found[currency] = found.get(currency, Balance()).plus(balance)
        shown = sorted(found.items())
        return self._summary(
            asked, then, [_shown(currency, each) for currency, each in shown]
        )

    def _at_once(self, asked: CreditBalanceWithUsage) -> CreditBalanceSummary | None:
        """Return the present balances by one statement, None where it takes more."""
        now = self._engine.now()
        with self._engine.log.read(once=True) as connection:
            head, found = present_balances(connection, asked.customer, now)
        if found is None or not self._engine.scheduled.is_all_recorded(head, now):
            return None
        shown = sorted(found.items())
        return self._summary(
            asked, now, [_shown(currency, each) for currency, each in shown]
        )

    def _with_unbilled_usage(
        self, asked: CreditBalanceWithUsage
    ) -> CreditBalanceSummary:
        owner = asked.customer
        with self._burn_down.present(lambda _: [owner]) as present:
            chosen = chosen_grants(present.seen, owner, asked.filter)
            now = present.now
            found = _balances_from_now(present.seen, owner, chosen, now)
            burned = self._burn_down.burned(present, owner)
        usage = burned.drawn_of(chosen.has)
        balances = []
        for currency in sorted({*found, *burned.uncovered}):
            drawn = usage.get(currency, 0)
            left = found.get(currency, Balance()).minus(Balance(0, drawn, 0))
            balances.append(
                msgspec.structs.replace(
                    _shown(currency, left),
                    unbilled_usage=monetary(currency, drawn),
                    uncovered_usage=monetary(
                        currency, burned.uncovered.get(currency, 0)
                    ),
                )
            )
        return self._summary(asked, now, balances)

    def _summary(
        self,
        asked: CreditBalanceWithUsage,
        then: int,
        balances: Sequence[CreditBalance],
    ) -> CreditBalanceSummary:
        return CreditBalanceSummary(
            balances=tuple(balances),
            customer=asked.customer,
            livemode=self._engine.settings.livemode,
            at=at_microseconds(then),
            filter=asked.filter,
        )

    def history(
        self,
        *,
        customer: str,
        start_time: Time,
        end_time: Time,
        filter: CreditFilterParams | None = None,  # noqa: A002  # the name that Stripe gives it
    ) -> pa.Table:
        """Follow what is left of a customer's credits in ``[start_time, end_time)``.

        Args:
            customer: any; one without grants has an empty history.
            start_time: inclusive; any instant, past or future.
            end_time: exclusive, after `start_time`.
            filter: as of `retrieve`.

        Returns:
            Columns `instant`, `currency`, `ledger_balance`, `available_balance` and
            `held_balance` (in minor units). For each currency a row at the start, and
            one at each instant at which a balance changes; sorted by instant and
            currency.

        Raises:
            ResourceMissingError: the customer has no such grant.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(CreditBalanceQuery, customer=customer, filter=filter)
        owner = asked.customer
        span = InstantSpan(*span_of(start_time, end_time))
        with self._engine.credits([owner]) as (seen, _):
            chosen = chosen_grants(seen, owner, asked.filter)
            applications = seen.applications_of(owner)
            moves = seen.holds.moves_of(owner)
            grants = grants_moved_by(seen, owner, applications, moves)
            grants.update(ahead_by_position(seen, owner, span.end - 1))
        made = transactions(grants, applications, moves, span.end - 1)
        of_chosen = (each for each in made if chosen.has(each.grant))
        rows = running_balances(of_chosen, moves, span)
        return pa.table(
            {
                "instant": pa.array([each.instant for each in rows], TIMESTAMP),
                "currency": [each.currency for each in rows],
                "ledger_balance": [each.balance.ledger for each in rows],
                "available_balance": [each.balance.available for each in rows],
                "held_balance": [each.balance.held for each in rows],
            },
            schema=HISTORY,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenGrants:
    """Which grants of a customer a filter lets through; all where it says nothing.

    Attributes:
        grant: the only one.
        has_scope: whether the prices of a grant are let through.
    """

    grant: Grant | None = None
    has_scope: _HasScope | None = None

    def has(self, grant: Grant) -> bool:
        """Whether a grant is let through."""
        if not is_own(grant):
            return False
        if self.grant is not None:
            return grant.position == self.grant.position
        return self.has_scope is None or self.has_scope(grant.prices)


_ALL = ChosenGrants()


def _shown(currency: str, balance: Balance) -> CreditBalance:
    return CreditBalance(
        available_balance=monetary(currency, balance.available),
        held_balance=monetary(currency, balance.held),
        ledger_balance=monetary(currency, balance.ledger),
    )


def _balances_from_now(
    seen: CreditQueries, customer: str, chosen: ChosenGrants, then: int
) -> dict[str, Balance]:
    """Add up grants at an instant that is not past, at which no invoice counts less."""
    if chosen.grant is not None:
        held = seen.holds.held_of([customer], then) if chosen.grant.held else {}
        return balances([chosen.grant], {}, held, then)
    if chosen.has_scope is None:
        return seen.balances_of(customer, then)
    sums: dict[str, Balance] = {}
    for prices, currency, balance in seen.balances_by_scope(customer, then):
        if chosen.has_scope(prices):
            sums[currency] = sums.get(currency, Balance()).plus(balance)
    return sums


def _balances_then(
    seen: CreditQueries, customer: str, chosen: ChosenGrants, then: int
) -> dict[str, Balance]:
    """Add up grants at a past instant."""
    grants = [each for each in seen.grants_of(customer) if chosen.has(each)]
    more_applied = applied_since(seen.applications_since(customer, then), then)
    moves = seen.holds.moves_since([customer], then).get(customer, ())
    return balances(grants, more_applied, held_at(moves, then), then)


def chosen_grants(
    seen: CreditQueries, customer: str, given: CreditFilterParams | None
) -> ChosenGrants:
    """Return which grants a filter lets through.

    Raises:
        ResourceMissingError: the customer has no such grant.
        InvalidRequestError: it is malformed.
    """
    if given is None:
        return _ALL
    scope, grant_id = given.get("applicability_scope"), given.get("credit_grant")
    each = {"applicability_scope": scope, "credit_grant": grant_id}
    check_only(given["type"], each, "filter[{}]")
    if scope is not None:
        return ChosenGrants(
            has_scope=_covering(prices_of(scope, "filter[applicability_scope]"))
        )
    param = "filter[credit_grant]"
    grant = grant_of(seen, grant_id, param)
    if grant.customer != customer:
        raise ResourceMissingError("credit grant", grant.grant_id, param=param)
    return ChosenGrants(grant=grant)


def _covering(prices: tuple[str, ...] | None) -> _HasScope:
    """Return whether a scope is for every metered price, or covers one of some."""
    if prices is None:
        return lambda scope: scope is None
    among = set(prices)
    return lambda scope: scope is None or not among.isdisjoint(scope)
