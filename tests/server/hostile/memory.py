"""Own the memory of a server's process: what it holds, and the most that it ever held."""

import re
from pathlib import Path


class ProcessMemory:
    """The memory of a process, in bytes, as Linux counts it."""

    def __init__(self, pid: int) -> None:
        self._process = Path("/proc") / str(pid)

    def resident(self) -> int:
        """What it holds now."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most that it held since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        (self._process / "clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", self._text(), re.MULTILINE)
        assert found, f"there is no {name}"
        return int(found[1]) << 10

    def _text(self) -> str:
        return (self._process / "status").read_text()
