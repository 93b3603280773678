"""Arrow's functions, its CSV and its Parquet, loaded when one of them is used first.

`pyarrow.compute` makes some three hundred functions as it is loaded, and `pyarrow.parquet`
the file systems of every cloud: an eighth and a twentieth of what a process needs to
record an event and to sum it up, which uses none of them.
"""

from importlib import import_module
from typing import Any


class _Later:
    """What is in a module; two threads that load it wait for each other."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._module), name)
        setattr(self, name, found)  # It is found without this from now on.
        return found


compute: Any = _Later("pyarrow.compute")
csv: Any = _Later("pyarrow.csv")
parquet: Any = _Later("pyarrow.parquet")
