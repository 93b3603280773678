"""Value keys: under which payload key the value of a meter's events is.

It never changes, and meters are never deleted: what was read once holds.
"""

from metering.connection import Metering


class ValueKeys:
    """The value keys of a store's meters, by event name."""

    def __init__(self, m: Metering) -> None:
        self._m = m
        self._known: dict[str, str | None] = {}

    def of(self, event_name: str) -> str | None:
        """Find the key; None where there is no such meter, or it only counts."""
        if event_name not in self._known:
            for meter in self._m.meters.list():
                needs_none = meter.default_aggregation.formula in {
                    "count",
                    "unique_count",
                }
                key = meter.value_settings.event_payload_key
                self._known[meter.event_name] = None if needs_none else key
        return self._known.get(event_name)
