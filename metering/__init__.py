"""An event-sourced usage metering engine for billing backends.

    import metering

    with metering.connect("usage") as m:
        meter = m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        m.meter_events.create(
            event_name="tokens",
            payload={"stripe_customer_id": "cus_1", "value": "12.5"},
        )

Only the names listed here are promised, and those that `metering.aio` lists: the same
calls, awaited.
"""

from typing import TYPE_CHECKING

from metering.version import __version__ as __version__

if TYPE_CHECKING:
    from metering import aio as aio
    from metering.public import *  # noqa: F403  # all of them are promised
    from metering.public import __all__ as __all__
else:
    # Databases and Arrow take most of a second to load. The first use of a name loads
    # them; the version, or the help of a command, does not wait for them.
    import importlib

    def __getattr__(name: str) -> object:
        if name == "aio":
            return importlib.import_module("metering.aio")
        public = importlib.import_module("metering.public")
        if name != "__all__" and name not in public.__all__:
            raise AttributeError(f"module 'metering' has no attribute {name!r}")
        return globals().setdefault(name, getattr(public, name))

    def __dir__() -> list[str]:
        public = importlib.import_module("metering.public")
        return sorted({*globals(), *public.__all__})
