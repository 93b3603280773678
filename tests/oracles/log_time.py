"""Own the naive oracle of the log's time: an instant for each position, in a list.

It must not know the product. Nothing is recorded before what is recorded already, so a
clock that was ahead takes the time with it. A correction moves every later instant back.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

DIFFER_BY = timedelta(minutes=1)
"""By how much clocks may differ without that anything is wrong."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class OracleTime:
    """When every entry counts as recorded, and which were by a wrong time."""

    instants: list[datetime] = field(default_factory=list)
    wrong: list[range] = field(default_factory=list)

    @property
    def latest(self) -> datetime:
        return self.instants[-1] if self.instants else BEGINNING

    def bounds(self, now: datetime) -> tuple[datetime, datetime] | None:
        """Between which times the right one lies; None where nothing is to correct."""
        if self.latest <= now + DIFFER_BY:
            return None
        right = [each for each in self.instants if each <= now]
        return (max(right, default=BEGINNING), now)

    def correct(self, to: datetime, now: datetime) -> None:
        """Record a correction: whatever is later than `to` is as of then."""
        after = len([each for each in self.instants if each <= now])
        self.wrong.append(range(after + 1, len(self.instants) + 1))
        self.instants = [min(each, to) for each in self.instants] + [to]

    def is_wrong(self, position: int) -> bool:
        return any(position in each for each in self.wrong)

    def position_at(self, instant: datetime) -> int:
        return len([each for each in self.instants if each <= instant])
