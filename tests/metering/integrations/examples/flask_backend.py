"""A backend on Flask, for gunicorn: ``gunicorn -c gunicorn.conf.py flask_backend:app``."""

from flask import Flask, request

import metering
from metering.integrations.processes import ProcessStore


def connect() -> metering.Metering:
    m = metering.connect()  # what METERING_STORE names
    m.meters.ensure(
        display_name="Tokens",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
    )
    return m


usage = ProcessStore(connect)
app = Flask(__name__)


@app.post("/completions")
def complete() -> dict[str, int]:
    event = usage.m.meter_events.create(
        event_name="tokens",
        identifier=request.headers["X-Request-Id"],
        payload={"stripe_customer_id": request.headers["X-Customer"], "value": "250"},
    )
    return {"position": event.position}


@app.get("/status")
def status() -> str:
    return "ready"
