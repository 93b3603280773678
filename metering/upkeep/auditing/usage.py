"""Comparing hourly usage with what its events add up to, a meter at a time."""

from collections.abc import Iterator

from ledger.records.audits.passes import MeterFinding
from metering.upkeep.verification.tables import CURE
from projections.usage.differences import UNREADABLE, UsageParts, compared


class UsageComparison:
    """Compares all meters, and keeps what that came to."""

    def __init__(self) -> None:
        self._meters: dict[str, MeterFinding] = {}

    def meters(self) -> tuple[MeterFinding, ...]:
        """Return the meters that were compared, by event name."""
        return tuple(meter for _, meter in sorted(self._meters.items()))

    def pieces(self, stored: UsageParts, right: UsageParts) -> Iterator[list[str]]:
        """Compare usage up to one position, and yield after each piece what differs.

        Args:
            stored: what answers are made of; mapped parts may have been changed.
            right: the same, made anew from the events.
        """
        assert stored.position == right.position, "they are of one position"
        for ours, theirs in stored.beside(right):
            yield from self._portion(ours, theirs)

    def _portion(self, stored: UsageParts, right: UsageParts) -> Iterator[list[str]]:
        found: list[str] = []
        try:
            names = stored.meters()
            for name in sorted(names | right.meters()):
                found += self._differences(name, stored, right)
                yield []
            if not stored.cancellations().equals(right.cancellations()):
                found.append(f"The cancellations in hourly usage are others; {CURE}")
        except UNREADABLE as error:
            found.append(f"Hourly usage cannot be read: {error}; {CURE}")
        if not found:
            # What answers were not wrong for yet, such as a word between two columns.
            found += [
                f"The run {name} is not what was written; {CURE}"
                for name in stored.damaged_runs()
            ]
        yield found

    def _differences(
        self, name: str, stored: UsageParts, right: UsageParts
    ) -> list[str]:
        comparison = compared(stored.of_meter(name), right.of_meter(name))
        known = self._meters.get(name)
        self._meters[name] = MeterFinding(
            event_name=name,
            totals=comparison.cells + (0 if known is None else known.totals),
            differing=comparison.differing + (0 if known is None else known.differing),
        )
        first = comparison.first
        if first is None:
            return []
        more = comparison.differing - 1
        others = f", and {more} more of its hours differ" if more else ""
        told = (
            f"Hourly usage of meter {name}, customer {first.customer}, hour"
            f" {first.hour.isoformat()}: {first.stored or 'nothing'} is stored, the"
            f" events add up to {first.right or 'nothing'}{others}; {CURE}"
        )
        return [told]
