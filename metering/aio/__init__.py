"""The library for asyncio: the same calls, awaited.

    from metering import aio

    async with aio.connect("usage") as m:
        await m.meter_events.create(
            event_name="tokens",
            payload={"stripe_customer_id": "cus_1", "value": "12.5"},
        )

Nothing here waits for a disk or a database on the event loop: that happens on threads of
the connection. Events that tasks create at the same time share commits.
"""

from metering.aio.connection import AsyncMetering, connect
from metering.aio.lists import AsyncListObject
from metering.aio.recorder import AsyncRecorder

__all__ = ["AsyncListObject", "AsyncMetering", "AsyncRecorder", "connect"]
