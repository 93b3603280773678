"""Series: what is summarised."""

from dataclasses import dataclass

from projections.kernels.meters import MeterDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One customer's events on one meter."""

    meter: MeterDefinition
    customer: str

    @property
    def is_windowed(self) -> bool:
        """Whether the meter is pre-aggregated."""
        return self.meter.event_time_window is not None
