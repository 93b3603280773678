"""What reads a clock stands in the table of clocks, with the clock that it goes by."""

import ast
import re
from collections.abc import Iterator

from tests.documentation.pages import ROOT

_PAGE = (ROOT / "ledger" / "README.md").read_text(encoding="utf-8")
_READS = {
    "clock_gettime_ns",
    "clock_timestamp",
    "monotonic",
    "now_of",
    "perf_counter",
    "real_now",
    "real_time",
    "server_time",
    "system_time",
    "time_of_arrival",
}


def test_every_module_that_reads_a_clock_is_in_the_table() -> None:
    _, _, table = _PAGE.partition("### What goes by which clock")
    table, _, _ = table.partition("\n#")
    named = set(re.findall(r"`((?:ledger|metering|projections)/[^`]+\.py)`", table))

    reading = {
        str(path.relative_to(ROOT))
        for package in ("ledger", "metering", "projections")
        for path in (ROOT / package).rglob("*.py")
        if any(_reads(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert named == reading


def _reads(module: ast.Module) -> Iterator[bool]:
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name("writing"), attr="now"):
                yield True
            case ast.Call(func=ast.Attribute(attr="now"), args=[], keywords=[]):
                yield True
            case ast.Call(func=ast.Name("now"), args=[], keywords=[]):
                yield True
            case ast.Name(name) | ast.Attribute(attr=name):
                yield name in _READS
            case _:
                pass
