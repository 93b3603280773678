"""Arrow's functions, loaded when one of them is called first.

`pyarrow.compute` makes some three hundred functions as it is loaded, which takes an
eighth of what a process needs to record an event and to sum it up; that calls none.
"""

from importlib import import_module
from typing import Any


class _Functions:
    """The functions of a module; two threads that load it wait for each other."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module("pyarrow.compute"), name)
        setattr(self, name, found)  # It is found without this from now on.
        return found


compute: Any = _Functions()
