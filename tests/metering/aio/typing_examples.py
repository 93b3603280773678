"""Typed calls of `metering.aio`, as an application has them; mypy checks this file."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import assert_type

import metering
from metering import aio


async def record(m: aio.AsyncMetering) -> str:
    """Calls have the parameters of the library, and return what it returns, awaited."""
    meter = await m.meters.create(
        display_name="Tokens",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
    )
    assert_type(meter, metering.Meter)
    event = await m.meter_events.create(
        event_name="tokens", payload={"stripe_customer_id": "cus_1", "value": 1}
    )
    assert_type(event, metering.MeterEvent)
    assert_type(await m.meter_events.ingest([]), metering.IngestReceipt)
    assert_type(
        await m.meter_event_adjustments.create(
            event_name="tokens", type="cancel", cancel={"identifier": event.identifier}
        ),
        metering.MeterEventAdjustment,
    )
    async with m.recorder(max_events=10, spool="spool") as recorder:
        assert_type(recorder, aio.AsyncRecorder)
        return await recorder.record(event_name="tokens", payload={"value": "1"})


async def read(m: aio.AsyncMetering) -> None:
    """Lists and streams have the type of what is in them."""
    page = await m.meters.list(status="active", limit=10)
    assert_type(page, aio.AsyncListObject[metering.Meter])
    async for meter in page.auto_paging_iter():
        assert_type(meter, metering.Meter)
    assert_type(m.meter_events.list(), AsyncIterator[metering.MeterEvent])
    async for event in m.meter_events.list(event_name="tokens"):
        assert_type(event, metering.MeterEvent)
    summaries = await m.meters.event_summaries(
        page[0].id, customer="cus_1", start_time=0, end_time=1
    )
    assert_type(summaries, aio.AsyncListObject[metering.MeterEventSummary])
    assert_type(await m.alerts.triggered(), Sequence[metering.AlertTriggered])
    assert_type(await m.credit_grants.retrieve("cg_1"), metering.CreditGrant)
    assert_type(
        await m.credits.reinstate(invoice="in_1"),
        list[metering.CreditBalanceTransaction],
    )
    assert_type(await m.webhook_endpoints.delete("we_1"), None)
    assert_type(await m.position, int)
    assert_type(await m.now(), datetime)
    assert_type(await m.catch_up(), int)
    assert_type(await m.status(), metering.StoreStatus)
    assert_type(await m.verify(), metering.VerifyReport)


async def open_twice() -> aio.AsyncMetering:
    """A connection is awaited, or opened by an async with statement."""
    async with aio.connect("usage", livemode=True) as m, m.worker() as worker:
        assert_type(m, aio.AsyncMetering)
        assert_type(worker, metering.Worker)
    return await aio.connect("usage")


async def refused_by_mypy(m: aio.AsyncMetering) -> None:
    """What the library would refuse, the type checker refuses first."""
    await m.meters.create(display_name="Tokens", event_name="tokens")  # type: ignore[call-arg]  # no formula
    await m.meters.list(status="gone")  # type: ignore[arg-type]  # no status
    await m.meter_events.create(event_name="tokens", payload={"value": [1.5]})  # type: ignore[dict-item]  # a list
    m.meters.retrieve("mtr_1").event_name  # type: ignore[attr-defined]  # not awaited  # noqa: B018
