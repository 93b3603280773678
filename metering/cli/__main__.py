"""The command line as a module: ``python -m metering.cli``."""

from metering.cli.app import main

main()
