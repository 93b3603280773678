"""What a connection explains: figures that it returned, and usage that is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from metering.alerts.resources import AlertTriggered
    from metering.arguments.times import Time
    from metering.credits.resources import CreditBalanceSummary
    from metering.explaining.amounts import AmountExplanation
    from metering.explaining.balances import BalanceExplanation
    from metering.explaining.explanations import Explanation
    from metering.explaining.figures import Explained, Figure
    from metering.statements.resources import Statement
    from metering.store.engine import Engine


class Explaining:
    """Explanations of a store's figures."""

    _engine: Engine

    @overload
    def explain(
        self,
        figure: Figure | None = None,
        *,
        meter: str | None = None,
        customer: str | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        as_of: Time | None = None,
    ) -> Explanation: ...

    @overload
    def explain(self, figure: Statement) -> AmountExplanation: ...

    @overload
    def explain(self, figure: CreditBalanceSummary) -> BalanceExplanation: ...

    @overload
    def explain(self, figure: AlertTriggered) -> Explained: ...

    def explain(
        self,
        figure: (
            Figure | Statement | AlertTriggered | CreditBalanceSummary | None
        ) = None,
        *,
        meter: str | None = None,
        customer: str | None = None,
        start_time: Time | None = None,
        end_time: Time | None = None,
        as_of: Time | None = None,
    ) -> Explained:
        """Explain a figure, or the usage of a customer in ``[start_time, end_time)``.

        The explanation has the figure and what it is made of, the events that count, those
        that do not and why, and what came late. It records nothing.

        Args:
            figure: a `MeterEventSummary`; a `StatementLine` of a metered price, whose
                quantity is explained; a `Statement`, whose amount due is; an
                `AlertTriggered`, by usage, by what it costs, or by credits; or a
                `CreditBalanceSummary`. Each is explained as of the position, or the
                instant, that it counts up to. Otherwise name the usage:
            meter: id or event name.
            customer: any; one without usage has a value of 0.
            start_time: inclusive; any microsecond.
            end_time: exclusive, after `start_time`.
            as_of: a position of the log, or a time: events and cancellations as they were
                known then.

        Raises:
            ResourceMissingError: there is no such meter.
            InvalidRequestError: an argument is malformed, a figure is given and usage is
                named, or the figure is of another kind.
        """
        from metering.explaining.figures import explained

        return explained(
            self._engine,
            figure,
            meter=meter,
            customer=customer,
            start_time=start_time,
            end_time=end_time,
            as_of=as_of,
        )
