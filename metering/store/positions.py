"""Positions that callers ask about: as numbers, or as times."""

from metering.arguments.times import Time, instant
from metering.errors import InvalidRequestError, shown
from metering.store.engine import Engine


def position_asked_for(engine: Engine, asked: Time, last: int, param: str) -> int:
    """Return the position that is meant: a number is one, anything else is a time.

    Args:
        engine: of the store.
        asked: the number or the time.
        last: the last position of the log.
        param: the parameter that it was given as.

    Raises:
        InvalidRequestError: it is no position of the log, no time, or a time to come.
    """
    if isinstance(asked, int) and not isinstance(asked, bool):
        if not 0 <= asked <= last:
            raise InvalidRequestError(
                f"Invalid {param}: {shown(asked)} is no position of the log, which goes"
                f" from 0 to {last}; give one, or a time with its zone such as"
                " 2026-01-31T12:00:00Z",
                param=param,
            )
        return asked
    moment, head = instant(asked, param), engine.log.head()
    if moment > max(engine.now(), head.recorded_at):
        raise InvalidRequestError(
            f"Invalid {param}: {asked} is yet to come, and what will be recorded until"
            " then is not known; give a time that is past",
            param=param,
        )
    return engine.log.history.position_at(moment)
