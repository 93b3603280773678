"""Own the histories of alerts: what may happen to a store, and how it is lived through.

Two connections act in turn; what takes which position is told to the oracle, which does
not know when anything was caught up with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

import metering
from tests.oracles.alerts import AlertOracle, Due, SeenAlert, SeenEvent, SeenMeter
from tests.property.two_connections import (
    CHANGES,
    UPKEEP,
    Change,
    TwoConnections,
    Upkeep,
    change_alert,
    filters_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEVER = 2**63


def tiered(mode: str, *tiers: dict[str, Any]) -> dict[str, Any]:
    return {"billing_scheme": "tiered", "tiers_mode": mode, "tiers": list(tiers)}


METERS = (
    SeenMeter(event_name="sum", formula="sum"),
    SeenMeter(event_name="count", formula="count"),
    SeenMeter(event_name="last", formula="last"),
    SeenMeter(event_name="sum by hour", formula="sum", event_time_window="hour"),
    SeenMeter(event_name="count by day", formula="count", event_time_window="day"),
    SeenMeter(event_name="last by day", formula="last", event_time_window="day"),
)
PRICES: tuple[tuple[int, dict[str, Any]], ...] = (
    (0, {"unit_amount_decimal": Decimal("0.5")}),
    (
        0,
        tiered(
            "graduated",
            {"up_to": 3, "unit_amount_decimal": Decimal("1.25"), "flat_amount": 1},
            {"up_to": "inf", "unit_amount_decimal": Decimal("0.3"), "flat_amount": 2},
        ),
    ),
    (
        0,
        tiered(
            "volume",
            {"up_to": 4, "unit_amount_decimal": Decimal(3)},
            {"up_to": "inf", "unit_amount_decimal": Decimal("1.1")},
        ),
    ),
    (
        1,
        {
            "unit_amount_decimal": Decimal(4),
            "transform_quantity": {"divide_by": 3, "round": "up"},
        },
    ),
    *((meter, {"unit_amount_decimal": Decimal("1.5")}) for meter in range(1, 6)),
)
"""The meter of each, by its number, and what it is created with."""
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata")


@dataclass(frozen=True, kw_only=True)
class Use:
    """Events, sent one by one or at once: meter, customer, minutes ago, value."""

    events: tuple[tuple[int, int, int, Decimal], ...]
    at_once: bool


@dataclass(frozen=True, kw_only=True)
class CancelOne:
    back: int


@dataclass(frozen=True, kw_only=True)
class CreateAlert:
    meter: int
    gte: int
    customer: int | None
    recurrence: str
    zone: str
    allowance: tuple[str | None, str | None, str | None] | None = None
    """Of cus_0, of cus_1 and of the others."""


@dataclass(frozen=True, kw_only=True)
class CreateSpendAlert:
    """On what usage costs by some of the prices."""

    prices: tuple[int, ...]
    gte: int
    customer: int | None
    recurrence: str
    zone: str


Deed = Use | CancelOne | CreateAlert | CreateSpendAlert | Change
History = list[tuple[int, Deed | Upkeep]]
"""The number of a connection, and what it does."""

_VALUES = st.one_of(
    st.integers(0, 6).map(Decimal),
    st.sampled_from(
        [Decimal(text) for text in ("-3", "0.5", "-0.000001", "1e17", "-1e17")]
    ),
)
# Around the beginning of a month, of days and of hours, in several zones.
_MINUTES = st.one_of(
    st.integers(0, 4), st.integers(0, 40).map(lambda n: 30 * n), st.just(13 * 60 + 1)
)
_EVENTS = st.tuples(
    st.integers(0, len(METERS) - 1), st.integers(0, 1), _MINUTES, _VALUES
)
_ALERTS = st.builds(
    CreateAlert,
    meter=st.integers(0, len(METERS) - 1),
    gte=st.integers(1, 6),
    customer=st.sampled_from([None, None, 0, 1]),
    recurrence=st.sampled_from(["one_time", "calendar_day", "calendar_month"]),
    zone=st.sampled_from(ZONES),
    allowance=st.sampled_from(
        [None, None, ("40", None, None), (None, "90.000001", "250"), ("300", "1", None)]
    ),
)
_SPEND_ALERTS = st.builds(
    CreateSpendAlert,
    prices=st.lists(st.integers(0, 40), min_size=1, max_size=3).map(tuple),
    gte=st.integers(1, 9),
    customer=st.sampled_from([None, None, 0, 1]),
    recurrence=st.sampled_from(["one_time", "calendar_day", "calendar_month"]),
    zone=st.sampled_from(ZONES),
)
_DEEDS = st.one_of(
    st.builds(
        Use,
        events=st.lists(_EVENTS, min_size=1, max_size=8).map(tuple),
        at_once=st.booleans(),
    ),
    st.builds(CancelOne, back=st.integers(0, 6)),
    _ALERTS,
    _SPEND_ALERTS,
    CHANGES,
    UPKEEP,
)


@st.composite
def alert_histories(draw: st.DrawFn) -> History:
    """Draw a history that begins with an alert, on few of the meters."""
    meters = draw(st.sets(st.integers(0, len(METERS) - 1), min_size=1, max_size=2))
    chosen = sorted(meters)
    deeds = [draw(_ALERTS), *draw(st.lists(_DEEDS, min_size=6, max_size=24))]
    number = st.integers(0, 1)
    return [(draw(number), _on(deed, chosen)) for deed in deeds]


def _on(deed: Deed | Upkeep, meters: list[int]) -> Deed | Upkeep:
    match deed:
        case CreateAlert():
            return replace(deed, meter=meters[deed.meter % len(meters)])
        case CreateSpendAlert():
            known = [at for at, (meter, _) in enumerate(PRICES) if meter in meters]
            prices = dict.fromkeys(known[each % len(known)] for each in deed.prices)
            return replace(deed, prices=tuple(prices))
        case Use():
            events = tuple(
                (meters[meter % len(meters)], *rest) for meter, *rest in deed.events
            )
            return replace(deed, events=events)  # type: ignore[arg-type]  # as before
        case _:
            return deed


class Lived(TwoConnections):
    """A store and an oracle that have lived through the same history."""

    def __init__(self, target: str) -> None:
        super().__init__(target, NOW, seal_events=None, alerts_max=1000)
        self.oracle = AlertOracle()
        self._ids: list[str] = []
        self._sent = 0
        self._meters = {
            meter.event_name: self.connections[0].meters.create(
                display_name=meter.event_name,
                event_name=meter.event_name,
                default_aggregation={"formula": meter.formula},  # type: ignore[typeddict-item]  # one of them
                event_time_window=meter.event_time_window,  # type: ignore[arg-type]  # one of them
            )
            for meter in METERS
        }
        self._prices = [self._price(*each) for each in PRICES]

    def act(self, number: int, deed: Deed) -> None:
        m = self.connections[number]
        match deed:
            case Use():
                parts = [deed.events] if deed.at_once else [[e] for e in deed.events]
                for events in parts:
                    self._ingest(m, events)
            case CancelOne():
                self._cancel(m, deed.back)
            case CreateAlert():
                self._create(m, deed)
            case CreateSpendAlert():
                self._create_on_spend(m, deed)
            case Change():
                self._change(m, deed)

    def found(self, number: int) -> list[Due]:
        """What has triggered, by one connection."""
        found = []
        for each in self.connections[number].alerts.triggered():
            at = self._ids.index(each.alert.id)
            start = each.window_start
            assert each.event_position is not None
            window = () if start is None else self.oracle.alerts[at].window(start)
            found.append(
                Due(each.event_position, at, each.customer, each.value, window)
            )
        return sorted(found)

    def _ingest(
        self, m: metering.Metering, events: Sequence[tuple[int, int, int, Decimal]]
    ) -> None:
        rows = []
        for meter, customer, minutes, value in events:
            self._sent += 1
            rows.append(
                {
                    "event_name": METERS[meter].event_name,
                    "identifier": str(self._sent),
                    "timestamp": NOW - timedelta(minutes=minutes),
                    "stripe_customer_id": f"cus_{customer}",
                    "value": f"{value:f}",
                }
            )
        receipt = m.meter_events.ingest(pa.Table.from_pylist(rows))
        assert receipt.accepted == len(rows)
        assert receipt.first_position is not None
        for at, (meter, customer, minutes, value) in enumerate(events):
            self.oracle.events.append(
                SeenEvent(
                    position=receipt.first_position + at,
                    meter=METERS[meter],
                    customer=f"cus_{customer}",
                    timestamp=NOW - timedelta(minutes=minutes),
                    value=value,
                )
            )

    def _cancel(self, m: metering.Metering, back: int) -> None:
        if back >= self._sent:
            return
        event = self.oracle.events[-1 - back]
        m.meter_event_adjustments.create(
            event_name=event.meter.event_name,
            type="cancel",
            cancel={"identifier": str(self._sent - back)},
        )
        self.oracle.cancelled.setdefault(event.position, m.position)

    def _create(self, m: metering.Metering, deed: CreateAlert) -> None:
        meter = METERS[deed.meter]
        customer = None if deed.customer is None else f"cus_{deed.customer}"
        threshold: Any = {
            "gte": deed.gte,
            "meter": self._meters[meter.event_name].id,
            "recurrence": deed.recurrence,
            **filters_of(customer),
        }
        if deed.recurrence != "one_time":
            threshold["timezone"] = deed.zone
        allowance: dict[str | None, Decimal] | None = None
        if deed.allowance is not None:
            names = ("cus_0", "cus_1", None)
            allowance = {
                name: Decimal(quantity)
                for name, quantity in zip(names, deed.allowance, strict=True)
                if quantity is not None
            }
            threshold["percent_of"] = {
                "quantity": allowance.get(None),
                "customers": {k: v for k, v in allowance.items() if k is not None},
            }
        alert = m.alerts.create(title="An alert", usage_threshold=threshold)
        self.oracle.alerts.append(
            SeenAlert(
                number=len(self._ids),
                meters=(meter,),
                gte=deed.gte,
                customer=customer,
                recurrence=deed.recurrence,
                timezone=deed.zone,
                allowance=allowance,
                periods=[[m.position, NEVER]],
            )
        )
        self._ids.append(alert.id)

    def _price(self, meter: int, given: dict[str, Any]) -> str:
        recurring: metering.RecurringParams = {
            "interval": "month",
            "usage_type": "metered",
            "meter": self._meters[METERS[meter].event_name].id,
        }
        price = self.connections[0].prices.create(
            currency="usd", product_data={"name": "p"}, recurring=recurring, **given
        )
        return price.id

    def _create_on_spend(self, m: metering.Metering, deed: CreateSpendAlert) -> None:
        customer = None if deed.customer is None else f"cus_{deed.customer}"
        threshold: Any = {
            "gte": deed.gte,
            "currency": "usd",
            "prices": [self._prices[each] for each in deed.prices],
            "recurrence": deed.recurrence,
            **filters_of(customer),
        }
        if deed.recurrence != "one_time":
            threshold["timezone"] = deed.zone
        alert = m.alerts.create(
            title="An alert", alert_type="spend_threshold", spend_threshold=threshold
        )
        prices = tuple(
            (METERS[meter], given)
            for meter, given in (PRICES[each] for each in deed.prices)
        )
        self.oracle.alerts.append(
            SeenAlert(
                number=len(self._ids),
                meters=tuple(meter for meter, _ in prices),
                gte=deed.gte,
                customer=customer,
                recurrence=deed.recurrence,
                timezone=deed.zone,
                periods=[[m.position, NEVER]],
                prices=prices,
            )
        )
        self._ids.append(alert.id)

    def _change(self, m: metering.Metering, deed: Change) -> None:
        is_known = deed.alert < len(self._ids)
        if not is_known or not change_alert(m, self._ids[deed.alert], deed.verb):
            return
        periods = self.oracle.alerts[deed.alert].periods
        if periods[-1][1] == NEVER:
            periods[-1][1] = m.position
        if deed.verb == "activate":
            periods.append([m.position, NEVER])
