"""Usage that credits are to cover: asked about, and recorded where they do."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from metering.arguments.times import Time
    from metering.spending.burn_down import BurnDown
    from metering.spending.resources import Check
    from metering.spending.watching import BurnDownWatch
    from metering.store.engine import Engine
    from metering.usage.resources import MeterEvent


class SpendingCalls:
    """What a connection answers about usage that is to be covered."""

    _engine: Engine

    @cached_property
    def _burn_down(self) -> BurnDown:
        from metering.spending.burn_down import BurnDown

        return BurnDown(self._engine)

    @cached_property
    def _burn_down_watch(self) -> BurnDownWatch:
        from metering.spending.watching import BurnDownWatch

        return BurnDownWatch(self._engine, self._burn_down)

    def check(
        self,
        *,
        customer: str,
        meter: str,
        quantity: Decimal | str | int,
        price: str | None = None,
    ) -> Check:
        """Answer whether usage would be covered now, and record nothing.

        It is covered where what it comes to is no more than what unbilled usage and
        holds leave of the credits that it may draw, as
        `CreditBalanceSummaries.retrieve` says with unbilled usage. It is rated as a part
        of the current period of each subscription of the customer that bills the meter.

        Args:
            customer: whose usage.
            meter: id or event name of a meter of a sum or a count.
            quantity: how much it would measure, above 0; a decimal or its string.
            price: by which usage is rated, alone, where no subscription bills it.

        Raises:
            ResourceMissingError: there is no such meter or price.
            InvalidRequestError: an argument is malformed, the meter does not add up, or
                nothing says what the usage costs.
        """
        from metering.arguments.schema import checked
        from metering.spending.requests import UsageCheck
        from metering.spending.spending import check_usage

        asked = checked(
            UsageCheck, customer=customer, meter=meter, quantity=quantity, price=price
        )
        return check_usage(self._engine, self._burn_down, asked)

    def spend(  # the parts of an event have names
        self,
        *,
        customer: str,
        meter: str,
        quantity: Decimal | str | int,
        identifier: str,
        timestamp: Time | None = None,
        payload: Mapping[str, str] | None = None,
    ) -> MeterEvent:
        """Record usage only where it is covered, durably.

        What `check` would answer is decided in the database transaction that records the
        event: no two callers spend the same cent. Doing it again with the same
        identifier and content answers with the original, marked `duplicate`, whatever
        is left by then.

        Args:
            customer: whose usage.
            meter: id or event name of a meter of a sum or a count, that a subscription
                of the customer bills at the time.
            quantity: how much it measures, above 0; 1 where the meter counts events.
            identifier: of the event, of your own; see `MeterEvents.create`.
            timestamp: when it happened; now where absent, and then a repetition does not
                compare it.
            payload: other keys and values of the event.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: the usage is not covered, as its code says, and nothing
                is recorded; or as for `check`.
            MeterEventInvalidError: the event breaks a rule.
            IdentifierConflictError: the identifier has an event of other content.
            StoreError: nothing was recorded; spend it again.
        """
        from metering.arguments.schema import checked
        from metering.spending.requests import UsageSpend
        from metering.spending.spending import spend_usage

        asked = checked(
            UsageSpend,
            customer=customer,
            meter=meter,
            quantity=quantity,
            identifier=identifier,
            timestamp=timestamp,
            payload=payload,
        )
        return spend_usage(self._engine, self._burn_down, asked)
