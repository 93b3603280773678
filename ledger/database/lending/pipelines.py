"""Pipelines: statements that are sent to a server before the last one is answered.

What a commit reads or writes then costs a few round trips, however many statements there
are. A cursor that is asked for its rows waits for all that was sent. What a pipeline cannot
do, such as a statement of SQLAlchemy, ends it first: it is a matter of time only, and what
runs in one need not know of it.
Source: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

_PIPELINE = "pipeline"


def end_before_sqlalchemy(engine: Engine) -> None:
    """End a pipeline before SQLAlchemy runs a statement: it looks for the answer at once."""

    @event.listens_for(engine, "before_cursor_execute")
    def _(connection: Connection, *_: object) -> None:
        end_pipeline(connection)


@contextmanager
def pipelined(connection: Connection, driver: Any) -> Iterator[None]:
    """Send the statements that the driver runs before earlier ones are answered.

    An error is raised where an answer is waited for, at the end of the block at the latest.

    Args:
        connection: to a server.
        driver: the driver's own connection.
    """
    with ExitStack() as opened:
        opened.enter_context(driver.pipeline())
        connection.info[_PIPELINE] = opened
        try:
            yield
        finally:
            connection.info.pop(_PIPELINE, None)


def end_pipeline(connection: Connection) -> None:
    """Wait for all that was sent, and from now on for each statement."""
    opened = connection.info.pop(_PIPELINE, None)
    if opened is not None:
        opened.close()
