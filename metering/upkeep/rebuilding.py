"""Rebuilding: everything that follows from the log is made anew.

Alerts are evaluated from the first one on, and what the log says is to be sent to webhook
endpoints is enqueued where it is not. Nothing triggers and nothing is sent twice.
"""

from ledger.sealing import StepCallback
from metering.store.engine import Engine
from metering.webhooks.restoring import restore_outbox


def rebuild(engine: Engine, progress: StepCallback | None) -> None:
    """Rebuild what follows from the log; see `Metering.rebuild`."""
    engine.log.rebuild(progress)
    engine.catalog.forget()
    engine.evaluator.restart()
    restore_outbox(engine)
