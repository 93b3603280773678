"""Explanations of amounts of money: the parts that add up to one, and their usage.

A statement is its lines less its credits; what triggered an alert on spend is what
each price makes of usage. A part whose quantity is a meter's has an explanation of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ledger.usage.quantities import UNITS_PER_ONE, units_from_quantity
from metering.alerts.resources import AlertTriggered
from metering.arguments.clock import microseconds
from metering.arguments.ids import found_by_id
from metering.explaining.explanations import Explanation, explained_between
from metering.statements.resources import Statement, StatementLine
from metering.store.engine import Engine
from projections.alerts.queries import AlertQueries
from projections.alerts.questions import windows_of_time
from projections.kernels.alerts.book import SpendAlert
from projections.kernels.alerts.spend import MOST, amounts_of, tariffs_of
from projections.kernels.statements import counted_span
from projections.kernels.usage.decimals import limbs_of_numbers
from projections.windows import END


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountPart:
    """A part of an amount.

    Attributes:
        kind: a line of a statement, a credit that one drew, or a price of usage.
        id: of the line, the grant, or the price.
        amount: in minor units; of a credit it is negative.
        explanation: of the quantity; None where it is not a meter's: a credit, and a
            line whose quantity was given, or recorded for its subscription item.
    """

    kind: Literal["line", "credit", "price"]
    id: str
    amount: int
    explanation: Explanation | None


class AmountExplanation:
    """Why an amount is what it is. Thread-safe.

    Attributes:
        customer: whose usage.
        currency: of the amounts.
        value: what is due, or what usage costs, in minor units.
        parts: that add up to it, in the order of the statement or of the alert's prices.
        position: every entry up to it counts, and none after.
    """

    def __init__(  # the parts of an explanation have names
        self,
        *,
        customer: str,
        currency: str,
        value: int,
        parts: Sequence[AmountPart],
        position: int,
        are_consistent: bool,
    ) -> None:
        self._are_consistent = are_consistent
        self.customer = customer
        self.currency = currency
        self.value = value
        self.parts = tuple(parts)
        self.position = position

    def __repr__(self) -> str:
        """Return the amount and whose it is."""
        return (
            f"AmountExplanation(value={self.value!r}, currency={self.currency!r},"
            f" customer={self.customer!r}, parts={len(self.parts)},"
            f" position={self.position})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what it says but for the events, as any JSON library can write it."""
        return {
            "object": "metering.amount_explanation",
            "customer": self.customer,
            "currency": self.currency,
            "value": self.value,
            "parts": [
                {
                    "kind": part.kind,
                    "id": part.id,
                    "amount": part.amount,
                    "quantity": (
                        None if part.explanation is None else part.explanation.to_dict()
                    ),
                }
                for part in self.parts
            ],
            "position": self.position,
        }

    def adds_up(self) -> bool:
        """Whether events make the quantities, the quantities the parts, and these it.

        What a quantity costs is compared with the tiers of a line, or rated anew.
        """
        total = min(sum(part.amount for part in self.parts), MOST)
        return (
            self._are_consistent
            and total == self.value
            and all(
                part.explanation is None or part.explanation.adds_up()
                for part in self.parts
            )
        )


def explained_line(engine: Engine, line: StatementLine) -> Explanation | None:
    """Explain the quantity of a line; None where no meter measures it."""
    if line.meter is None:
        return None
    start, end = counted_span(
        microseconds(line.period_start),
        microseconds(line.period_end),
        None if line.at is None else microseconds(line.at),
    )
    return explained_between(
        engine,
        meter=line.meter,
        customer=line.customer,
        start=start,
        end=end,
        as_of=line.position,
    )


def explained_statement(engine: Engine, statement: Statement) -> AmountExplanation:
    """Explain what is due by a statement; see `Metering.explain`."""
    explanations = [explained_line(engine, line) for line in statement.lines]
    lines = [
        AmountPart(kind="line", id=line.id, amount=line.amount, explanation=explanation)
        for line, explanation in zip(statement.lines, explanations, strict=True)
    ]
    drawn = [
        AmountPart(
            kind="credit",
            id=credit.credit_grant,
            amount=-credit.amount,
            explanation=None,
        )
        for credit in statement.credits
    ]
    return AmountExplanation(
        customer=statement.customer,
        currency=statement.currency,
        value=statement.amount_due,
        parts=[*lines, *drawn],
        position=statement.position,
        are_consistent=all(
            _says(line, explanation)
            for line, explanation in zip(statement.lines, explanations, strict=True)
        ),
    )


def _says(line: StatementLine, explanation: Explanation | None) -> bool:
    """Whether a line has the quantity that is explained, and its tiers make it."""
    is_measured = explanation is None or explanation.value == line.quantity
    if not line.tiers:
        return is_measured
    amount = sum(tier.amount for tier in line.tiers)
    quantity = sum(tier.quantity for tier in line.tiers)
    rated = 0 if line.is_negative else line.quantity
    return is_measured and (quantity, amount) == (rated, line.amount)


def explained_spend(engine: Engine, triggered: AlertTriggered) -> AmountExplanation:
    """Explain what usage cost when it triggered an alert; see `Metering.explain`."""
    with engine.log.read() as connection:
        alerts = AlertQueries(connection)
        alert = found_by_id(alerts.alert, triggered.alert.id, "alert", "figure")
    assert isinstance(alert, SpendAlert), "its trigger has a spend threshold"
    position = triggered.event_position
    assert position is not None, "usage triggered it"
    start, end = _window(alert, triggered)
    explanations = {
        meter: explained_between(
            engine,
            meter=meter,
            customer=triggered.customer,
            start=start,
            end=end,
            # What was recorded up to the event, cancelled since or not.
            as_of=position,
        )
        for meter in alert.spend.meter_ids
    }
    parts = []
    for price, tariff in zip(alert.spend.prices, tariffs_of(alert.spend), strict=True):
        made = explanations[price.meter_id]
        is_counted = made.formula == "count"
        units = units_from_quantity(made.value) // (UNITS_PER_ONE if is_counted else 1)
        [amount] = amounts_of(
            tariff, limbs_of_numbers([units]), is_counted=is_counted
        ).tolist()
        parts.append(
            AmountPart(kind="price", id=price.price_id, amount=amount, explanation=made)
        )
    return AmountExplanation(
        customer=triggered.customer,
        currency=alert.spend.currency,
        value=int(triggered.value),
        parts=parts,
        position=position,
        are_consistent=True,
    )


def _window(alert: SpendAlert, triggered: AlertTriggered) -> tuple[int, int]:
    if triggered.window_start is None:
        return 0, END
    start = np.array([microseconds(triggered.window_start)], np.int64)
    windows = windows_of_time(alert.recurrence, alert.timezone, alert.subscribed, start)
    assert windows is not None, "it began"
    return int(start[0]), int(windows.ends_of(start)[0])
