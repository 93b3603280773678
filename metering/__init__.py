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
    # Databases and Arrow take a third of a second to load, and all that this package can
    # do as long again. The first use of a name loads its module.
    import importlib

    from metering.loading import collecting_later
    from metering.names import MODULES

    __all__ = list(MODULES)

    def __getattr__(name: str) -> object:
        if name == "aio":
            with collecting_later():
                return importlib.import_module("metering.aio")
        if name not in MODULES:
            raise AttributeError(f"module 'metering' has no attribute {name!r}")
        with collecting_later():
            found = getattr(importlib.import_module(MODULES[name]), name)
        return globals().setdefault(name, found)

    def __dir__() -> list[str]:
        return sorted({*globals(), *MODULES, "aio"})
