"""Receipts of a worker: what each of its rounds came to."""

import msgspec


class WorkReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a round of a worker came to.

    Attributes:
        position: up to where the log was taken in.
        triggered: how often alerts triggered.
        enqueued: deliveries that were added, one for each event and endpoint.
        delivered: attempts that were answered with a 2xx.
        failed: attempts that were not; they are repeated when they are due.
    """

    position: int
    triggered: int
    enqueued: int
    delivered: int
    failed: int
