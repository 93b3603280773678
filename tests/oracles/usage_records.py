"""Own what usage records come to, by replaying all of them for each question.

Instants are whole seconds since a start.
"""

from dataclasses import dataclass, field


@dataclass
class Record:
    """A record as it was sent, in the order of arrival."""

    item: int
    action: str
    quantity: int
    second: int
    is_cancelled: bool = False


@dataclass
class RecordsOracle:
    """The records of some items."""

    records: list[Record] = field(default_factory=list)

    def quantity(self, item: int, start: int, end: int, aggregate: str) -> int:
        """Return what an item's records come to in ``[start, end)``."""
        begin = -1 if aggregate == "last_ever" else start
        by_second: dict[int, int] = {}
        for each in self.records:
            if each.item != item or each.is_cancelled:
                continue
            if not begin <= each.second < end:
                continue
            before = 0 if each.action == "set" else by_second.get(each.second, 0)
            by_second[each.second] = before + each.quantity
        ordered = [by_second[second] for second in sorted(by_second)]
        if not ordered:
            return 0
        return {"sum": sum(ordered), "max": max(ordered)}.get(aggregate, ordered[-1])
