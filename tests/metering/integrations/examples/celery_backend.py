"""A worker on Celery: ``celery -A celery_backend worker``."""

from celery import Celery, Task

import metering
from metering.integrations.celery import connect_workers
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
app = Celery("backend")
app.config_from_object({"task_acks_late": True}, namespace="CELERY")
connect_workers(usage)


@app.task(bind=True)
def complete(self: Task, customer: str, tokens: int) -> int:
    event = usage.m.meter_events.create(
        event_name="tokens",
        identifier=self.request.id,  # a task that is delivered again counts once
        payload={"stripe_customer_id": customer, "value": tokens},
    )
    return event.position
