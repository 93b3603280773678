"""The same as ``python -m metering``."""

from metering.cli.entry import main

main()
