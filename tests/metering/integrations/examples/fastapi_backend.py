"""A backend on FastAPI: it meters every request, and what each completion took.

Run it with ``uvicorn fastapi_backend:app --workers 2``.
"""

from fastapi import FastAPI, Request

import metering
from metering.integrations.fastapi import Connection, MeterRequests, lifespan
from metering.integrations.processes import ProcessStore
from metering.integrations.requests import RequestMetering


def connect() -> metering.Metering:
    m = metering.connect()  # what METERING_STORE names
    for name in ("requests", "tokens"):
        m.meters.ensure(
            display_name=name, event_name=name, default_aggregation={"formula": "sum"}
        )
    return m


def payload_of(request: Request, status: int) -> dict[str, str] | None:
    customer = request.headers.get("X-Customer")
    if customer is None or status >= 400:
        return None  # not metered
    return {"stripe_customer_id": customer, "value": "1", "path": request.url.path}


def identifier_of(request: Request) -> str | None:
    return request.headers.get("X-Request-Id")  # which the proxy in front sets


usage = ProcessStore(connect)
app = FastAPI(lifespan=lifespan(usage))
app.add_middleware(
    MeterRequests,
    usage=usage,
    requests=RequestMetering(
        event_name="requests", payload=payload_of, identifier=identifier_of
    ),
)


@app.post("/completions")
async def complete(m: Connection, request: Request) -> dict[str, int]:
    event = await m.meter_events.create(
        event_name="tokens",
        identifier=identifier_of(request),
        payload={"stripe_customer_id": request.headers["X-Customer"], "value": "250"},
    )
    return {"position": event.position}


@app.get("/status")
async def status() -> str:
    return "ready"
