"""Own a process that has imported whatever a store may need, and opened nothing.

The fault tests and the tests of the server fork theirs from it, in milliseconds; a new
interpreter takes seconds to import as much.
"""

import gc
import importlib
import pkgutil

# What the product imports when it is first needed.
import duckdb  # noqa: F401
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401
import urllib3  # noqa: F401
import uvicorn  # noqa: F401

import ledger
import metering
import projections

# What the tests that start most of them let them do.
import tests.faults.calls.attempts
import tests.faults.power.losing
import tests.faults.servers.clients  # noqa: F401
from tests.system_calls.interposer import forget

# For this process and its children; what those start is not theirs to watch.
forget()

for _package in (ledger, projections, metering):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        # Frameworks take long to load, and their tests start them themselves.
        if not _module.name.endswith("__main__") and "integrations" not in _module.name:
            importlib.import_module(_module.name)

# Collecting what was made until here, each of them would copy the memory that it shares.
gc.collect()
gc.freeze()
