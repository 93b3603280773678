"""Spend limits: what may be done to them.

A limit is obeyed where money is spent: see `metering.limits.obeying`. The alerts that warn
of it are made, and archived, in the commits that make and change it.
"""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace as with_changes

from ledger.appending.writing import Writing
from ledger.commits import read_head
from ledger.facts.credits.limits import SpendLimitCanceled, SpendLimitUpdated
from ledger.facts.union import Fact
from metering.arguments.currencies import check_amount
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.refusals import invalid
from metering.arguments.schema import checked
from metering.arguments.zones import ZoneName
from metering.credits.requests import CreditAmountParams
from metering.errors import InvalidRequestError
from metering.limits.deciding import (
    archived,
    check_above,
    check_alert_count,
    check_same,
    limit_definition,
    percentages,
    warnings_of,
)
from metering.limits.requests import (
    WARN_AT,
    WARNINGS_MAX,
    LimitWindowName,
    SpendLimitCreate,
    SpendLimitList,
    SpendLimitUpdate,
)
from metering.limits.resources import SpendLimit
from metering.limits.shown import limit_resource
from metering.limits.standing import LimitStandings
from metering.store.engine import Engine
from projections.alerts.queries import AlertQueries
from projections.kernels.limits import (
    LimitDefinition,
    limit_created,
    limit_updated,
)
from projections.limits.queries import LimitQueries
from projections.prices.queries import PriceQueries


class SpendLimits:
    """The spend limits of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a limit have names
        self,
        *,
        customer: str,
        amount: CreditAmountParams,
        window: LimitWindowName = "month",
        warn_at: Sequence[int] = WARN_AT,
        prices: Sequence[str] | None = None,
        subscription: str | None = None,
        timezone: ZoneName | None = None,
        id: str | None = None,  # noqa: A002  # what all resources call it
        metadata: Mapping[str, str] | None = None,
    ) -> SpendLimit:
        """Limit how much a customer may spend in a window of time.

        What usage costs counts, and what holds keep or drew that were made in the window.
        A hold that would pass the limit is refused. Usage that is recorded all the same
        counts; at the first event with which it reaches a percentage of the limit,
        `Metering.catch_up` finds a warning, once in each window: an event
        ``metering.spend_limit.warned``, and the trigger of an alert that the limit has.

        Args:
            customer: who may spend so much.
            amount: ``{"type": "monetary", "monetary": {"currency": "usd", "value":
                5000}}``, in minor units of the currency.
            window: ``"day"`` or ``"month"``, by the clocks of the timezone;
                ``"all_time"``, or ``"billing_period"`` of the subscription.
            warn_at: up to 20 percentages of the amount, from 1 to 100.
            prices: ids of up to 20 metered prices in the currency, on meters of formula
                sum, count or last, by which usage costs something, as they are now. None
                is those of the customer's subscriptions; where there are none, holds
                alone count. A hold for another price does not.
            subscription: whose metered prices count instead.
            timezone: IANA name of the zone of days and months, by default UTC.
            id: of your own, used once; None makes one. Doing it again under the same id
                returns the limit as it is.
            metadata: up to 50 strings of the caller's own.

        Raises:
            ResourceMissingError: there is no such price or subscription.
            InvalidRequestError: an argument is malformed, more than the amount is spent
                already, the id is that of another limit, or too many alerts on spend
                apply to the customer.
        """
        asked = checked(
            SpendLimitCreate,
            customer=customer,
            amount=amount,
            window=window,
            warn_at=warn_at,
            prices=prices,
            subscription=subscription,
            timezone=timezone,
            id=id,
            metadata=metadata,
        )
        engine = self._engine
        limit_id = asked.id or engine.new_id("slim")
        alert_ids = [engine.new_id("alrt") for _ in asked.warn_at]

        with engine.writing_of(asked.customer, needs_events=True) as writing:
            known = LimitQueries(writing.connection).limit(limit_id)
            if known is None:
                meters = engine.catalog.read(writing.connection)
                priced = PriceQueries(writing.connection)
                wanted = limit_definition(asked, limit_id, meters, priced, writing.now)
                if wanted.spend.prices:
                    wanted = with_changes(wanted, alerts=tuple(alert_ids))
                limit = limit_created(wanted, writing.next_position, writing.now)
                alerts = AlertQueries(writing.connection)
                check_alert_count(alerts, limit, 0, engine.settings.alerts_max)
                self._check_above(limit, writing)
                warnings = warnings_of(limit)
                writing.record([*warnings, wanted])
            else:
                check_same(known, asked)
        return self.retrieve(limit_id)

    def update(
        self,
        limit_id: str,
        *,
        amount: CreditAmountParams | None = None,
        warn_at: Sequence[int] | None = None,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
    ) -> SpendLimit:
        """Change a limit, from this window on.

        With another amount, or other percentages, it warns anew: at the first event at
        which one is reached, where it was before too.

        Args:
            limit_id: of the limit.
            amount: in the same currency; None leaves it as it is.
            warn_at: percentages of the amount; None leaves them as they are.
            metadata: an empty string removes its key; None removes every pair.

        Raises:
            ResourceMissingError: there is no such limit.
            InvalidRequestError: an argument is malformed, the limit is canceled, or is
                to fall below what is spent.
        """
        asked = checked(
            SpendLimitUpdate, amount=amount, warn_at=warn_at, metadata=metadata
        )
        ids = [self._engine.new_id("alrt") for _ in range(WARNINGS_MAX)]

        engine = self._engine
        with engine.writing(needs_events=True) as writing:
            known = limit_of(LimitQueries(writing.connection), limit_id)
            self._engine.follow(writing, known.customer)
            _check_active(known)
            fact = _updated(known, asked)
            alerts = AlertQueries(writing.connection)
            changes: list[Fact] = []
            if (fact.amount, fact.warn_at) != (known.amount, known.warn_at):
                if known.spend.prices:
                    fact = with_changes(fact, alerts=tuple(ids[: len(fact.warn_at)]))
                limit = limit_updated(known, fact)
                replaced, most = len(known.alerts), engine.settings.alerts_max
                check_alert_count(alerts, limit, replaced, most)
                # One that was passed may be raised by less than that, or warn elsewhere.
                if limit.amount < known.amount:
                    self._check_above(limit, writing)
                changes = [*archived(known, alerts), *warnings_of(limit)]
            if limit_updated(known, fact) != known:
                writing.record([*changes, fact])
        return self.retrieve(limit_id)

    def cancel(self, limit_id: str) -> SpendLimit:
        """End a limit: it refuses nothing any more, and warns of nothing.

        Raises:
            ResourceMissingError: there is no such limit.
            InvalidRequestError: it is canceled already.
        """
        with self._engine.writing() as writing:
            known = limit_of(LimitQueries(writing.connection), limit_id)
            self._engine.follow(writing, known.customer)
            _check_active(known)
            ended = archived(known, AlertQueries(writing.connection))
            writing.record([*ended, SpendLimitCanceled(limit_id=known.limit_id)])
        return self.retrieve(limit_id)

    def retrieve(self, limit_id: str) -> SpendLimit:
        """Return a limit by its id, and what of it is spent now.

        Raises:
            ResourceMissingError: there is no such limit.
        """
        self._engine.log.catch_up()
        with self._engine.log.read() as connection:
            seen = LimitQueries(connection)
            return self._shown(seen, [limit_of(seen, limit_id)])[0]

    def list(
        self,
        customer: str | None = None,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[SpendLimit]:
        """Return limits that are not canceled, of one customer or of all, newest first.

        Args:
            customer: whose limits; None is every customer.
            limit: 1 to 100.
            starting_after: id of the limit before the first one to list.
            ending_before: id of the limit behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no limit.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                SpendLimitList,
                customer=customer,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: SpendLimitList) -> ListObject[SpendLimit]:
        self._engine.log.catch_up()
        with self._engine.log.read() as connection:
            seen = LimitQueries(connection)
            page = page_of(asked, lambda each, at: limit_of(seen, each, at).position)
            shown = self._shown(seen, seen.page(asked.customer, page))
        return listed(asked, shown, self._page)

    def _shown(
        self, seen: LimitQueries, limits: Sequence[LimitDefinition]
    ) -> Sequence[SpendLimit]:
        read = LimitStandings(self._engine, seen)
        livemode = self._engine.settings.livemode
        head = read_head(seen.connection)
        times = [
            self._engine.present(seen, each.customer, head=head) for each in limits
        ]
        return [
            limit_resource(read.of(each, now, now), livemode=livemode)
            for each, now in zip(limits, times, strict=True)
        ]

    def _check_above(self, limit: LimitDefinition, writing: Writing) -> None:
        seen = LimitQueries(writing.connection)
        read = LimitStandings(self._engine, seen)
        check_above(read.of(limit, writing.now, writing.now))


def limit_of(
    seen: LimitQueries, limit_id: object, param: str = "id"
) -> LimitDefinition:
    """Return a limit by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.limit, limit_id, "spend limit", param)


def _updated(known: LimitDefinition, asked: SpendLimitUpdate) -> SpendLimitUpdated:
    """Return a limit as it is to become, with the alerts that it has."""
    amount, warn_at, metadata = known.amount, known.warn_at, known.metadata
    if asked.amount is not None:
        money = asked.amount["monetary"]
        if money["currency"] != known.currency:
            param, allowed = (
                "amount[monetary][currency]",
                f"{known.currency}, as it was",
            )
            raise invalid(param, money["currency"], allowed)
        check_amount(money["value"], known.currency, "amount[monetary][value]")
        amount = money["value"]
    if asked.warn_at is not None:
        warn_at = percentages(asked.warn_at)
    if asked.metadata is not UNSET:
        metadata = merge_metadata(metadata, asked.metadata)
    return SpendLimitUpdated(
        limit_id=known.limit_id,
        amount=amount,
        warn_at=warn_at,
        alerts=known.alerts,
        metadata=metadata,
    )


def _check_active(limit: LimitDefinition) -> None:
    if limit.canceled_at is not None:
        raise InvalidRequestError(
            f"Spend limit {limit.limit_id} is canceled already, which is final",
            code="limit_canceled",
            param="id",
        )
