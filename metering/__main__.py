"""The command line as a module: ``python -m metering``."""

from metering.cli.entry import main

main()
