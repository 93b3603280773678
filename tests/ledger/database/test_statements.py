"""Statements of SQLite are compiled once a process, whatever the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import CacheStats

from tests.empty_stores import empty_store


@contextmanager
def statements() -> Iterator[list[tuple[str, CacheStats]]]:
    """What SQLAlchemy executes, and whether it had to compile it."""
    executed: list[tuple[str, CacheStats]] = []

    def on_statement(*arguments: Any) -> None:
        _, _, text, _, context, _ = arguments
        if context.compiled is not None and not context.isddl:
            executed.append((text, context.cache_hit))

    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        yield executed
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)


def use_and_verify() -> None:
    with empty_store() as store:
        meter = store.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        payload = {"stripe_customer_id": "cus_1", "value": "1"}
        store.meter_events.create(event_name="tokens", payload=payload)
        store.meters.event_summaries(
            meter.id, customer="cus_1", start_time=0, end_time=6_000_000_000
        )
        assert store.verify().ok


def test_a_second_store_compiles_no_statement_of_the_first() -> None:
    use_and_verify()

    with statements() as executed:
        use_and_verify()

    assert len(executed) > 30
    assert [text for text, found in executed if found is CacheStats.CACHE_MISS] == []
