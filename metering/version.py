"""The version of the distribution ``metering-engine``, written down here only."""

__version__ = "0.2.0.dev0"
