"""Delivering once: everything that is due, and then no more."""

from metering.store.engine import Engine
from metering.webhooks.enqueueing import enqueue_all
from metering.webhooks.lanes import Lanes
from metering.webhooks.resources import DeliveryReceipt
from metering.webhooks.sending import sender_of


def deliver(engine: Engine) -> DeliveryReceipt:
    """Send what is due to webhook endpoints; see `Metering.deliver`."""
    engine.evaluator.evaluate()
    enqueued = enqueue_all(engine)
    with Lanes(engine, sender_of(engine.settings)) as lanes:
        tally = lanes.deliver_all()
    return DeliveryReceipt(
        enqueued=enqueued, delivered=tally.delivered, failed=tally.failed
    )
