"""Print what a run measured and which targets it met: `python -m bench.report FILE`.

Reads the JSON of pytest-benchmark and writes the same tables as Markdown, and a bar
chart as SVG, beside it. In a pipe or a file what is printed is that Markdown. Fails when contestants of a group gave different answers, never
because a target was missed.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from bench.measures import Size
from bench.report.chart import Bar, chart
from bench.report.everyday import EVERYDAY_TARGETS
from bench.report.grids import Grid
from bench.report.targets import TARGETS, Role, Target


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark left in its extra_info; see `bench.measures.record`."""

    contestant: str
    role: Role
    events: int
    seconds: float
    rate: float
    bytes: int | None
    digest: str
    versions: dict[str, str]
    conversion_seconds: float | None = None
    ingest_seconds: float | None = None
    work_seconds: float | None = None
    first_answer_seconds: float | None = None
    growth: float | None = None
    p99_seconds: float | None = None
    p99_turns: float | None = None
    peak_memory_bytes: int | None = None
    worst_seconds: float | None = None
    worst_turns: float | None = None
    stored_events: int | None = None


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One test of a run."""

    group: str
    extra_info: Record


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the JSON that this report reads."""

    size: Size
    benchmarks: list[Benchmark]
    machine_info: dict[str, Any]
    commit_info: dict[str, Any]
    datetime: str

    def groups(self) -> dict[str, list[Record]]:
        """Gather the records of each group, in the order of the run."""
        groups: dict[str, list[Record]] = {}
        for benchmark in self.benchmarks:
            groups.setdefault(benchmark.group, []).append(benchmark.extra_info)
        return groups


RESULT_HEADINGS: Final = (
    *("contestant", "events", "time", "per second", "bytes/event"),
    *("this project is", "remarks"),
)
TARGET_HEADINGS: Final = ("verdict", "measured", "wanted", "against", "group", "target")
NUMERIC_HEADINGS: Final = frozenset({*RESULT_HEADINGS[1:-1], "measured"})


def main(path: Path) -> int:
    """Report a run; 1 when contestants of a group disagree, else 0."""
    run = msgspec.json.decode(path.read_bytes(), type=Run)
    groups = run.groups()
    grids = [*_result_grids(groups), *_target_grids(run.size, groups)]
    markdown = "\n".join([_provenance(run), *(grid.markdown() for grid in grids)])
    console = Console()
    if console.is_terminal:
        for grid in grids:
            console.print(grid.drawn(console))
        console.print(_provenance(run), style="dim", highlight=False)
    else:
        print(markdown)
    path.with_suffix(".md").write_text(markdown, encoding="utf-8")
    path.with_suffix(".svg").write_text(chart(_panels(groups)), encoding="utf-8")
    disagreeing = [group for group, records in groups.items() if not _agree(records)]
    for group in disagreeing:
        print(f"{group}: the contestants gave different answers", file=sys.stderr)
    return 1 if disagreeing else 0


def judge(target: Target, records: Sequence[Record]) -> tuple[bool, str, str] | None:
    """Compare a group's records with a target.

    Returns:
        Whether it is met, what was measured, what is wanted; None where a contestant is
        missing.
    """
    project = _project(records)
    peers = [record for record in records if record.contestant == target.against]
    if project is None or (target.against and not peers):
        return None
    if target.against:
        ratio = project.rate / peers[0].rate
        return ratio >= target.bound, _times(ratio), f"at least {target.bound:.3g}x"
    value, written = getattr(project, target.figure), _written_as(target.figure)
    return value <= target.bound, written(value), f"at most {written(target.bound)}"


def _written_as(figure: str) -> Callable[[float], str]:
    match figure.rpartition("_")[2]:
        case "seconds":
            return _time
        case "bytes":
            return _size
        case _:
            return _times


def _result_grids(groups: dict[str, list[Record]]) -> Iterator[Grid]:
    for group, records in groups.items():
        project = _project(records)
        yield Grid(
            title=group,
            headings=RESULT_HEADINGS,
            rows=[_result_row(record, project) for record in records],
            numeric=NUMERIC_HEADINGS,
        )


def _result_row(record: Record, project: Record | None) -> list[str]:
    stored = "" if record.bytes is None else f"{record.bytes / record.events:.0f}"
    is_compared = project is not None and record is not project
    return [
        record.contestant,
        f"{record.events:,}",
        _time(record.seconds),
        f"{record.rate:,.0f}",
        stored,
        _times(project.rate / record.rate) if project and is_compared else "",
        "; ".join(_remarks(record, project)),
    ]


def _remarks(record: Record, project: Record | None) -> Iterator[str]:
    for figure, (written, words) in _REMARKS.items():
        value = getattr(record, figure)
        if value is not None:
            yield words.format(written(value))
    if record.conversion_seconds is not None:
        remark = f"{_time(record.conversion_seconds)} of it converts from Arrow"
        if project is not None:
            rest = record.seconds - record.conversion_seconds
            remark += f", {_times(project.rate * rest / record.events)} without"
        yield remark


def _target_grids(size: Size, groups: dict[str, list[Record]]) -> Iterator[Grid]:
    rows = []
    for target in (*TARGETS, *EVERYDAY_TARGETS):
        outcome = judge(target, groups.get(target.group, []))
        if outcome is not None:
            is_met, measured, wanted = outcome
            # A smoke run shows that the benchmarks work, and nothing about speed.
            verdict = ("missed", "met")[is_met] if size is Size.FULL else "not judged"
            against = target.against or ""
            row = [verdict, measured, wanted, against, target.group, target.sentence]
            rows.append(row)
    if rows:
        yield Grid(
            title="targets",
            headings=TARGET_HEADINGS,
            rows=rows,
            numeric=NUMERIC_HEADINGS,
        )


def _panels(groups: dict[str, list[Record]]) -> dict[str, list[Bar]]:
    return {
        group: [
            Bar(
                label=record.contestant,
                role=record.role.value,
                length=record.rate,
                figure=f"{record.rate:,.0f}/s",
            )
            for record in records
        ]
        for group, records in groups.items()
    }


def _agree(records: Sequence[Record]) -> bool:
    """Whether all that answer gave the same answers; a limit answers nothing."""
    answering = (record for record in records if record.role is not Role.LIMIT)
    return len({record.digest for record in answering}) <= 1


def _project(records: Sequence[Record]) -> Record | None:
    return next((r for r in records if r.role is Role.PROJECT), None)


def _provenance(run: Run) -> str:
    machine, cpu = run.machine_info, run.machine_info["cpu"]
    versions = run.benchmarks[0].extra_info.versions
    changed = " with changes" if run.commit_info["dirty"] else ""
    return (
        f"{run.size.value} size, commit {run.commit_info['id']}{changed}, {run.datetime}; "
        f"{cpu.get('count')} x {cpu.get('brand_raw', 'unknown processor')}, "
        f"{machine['system']} {machine['release']}, {machine['file_system']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds:.2f} s"


def _size(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


_REMARKS: Final[dict[str, tuple[Callable[[float], str], str]]] = {
    "stored_events": ("{:,}".format, "{} events stored"),
    "p99_seconds": (_time, "99th percentile {}"),
    "p99_turns": (_times, "{} a fair turn"),
    "worst_seconds": (_time, "worst {}"),
    "worst_turns": (_times, "{} a fair turn"),
    "growth": (_times, "{} the time of the small store"),
    "peak_memory_bytes": (_size, "peak memory {}"),
    "first_answer_seconds": (_time, "{} from opening to the answer"),
    "ingest_seconds": (_time, "{} without the start of the process"),
    "work_seconds": (_time, "{} without the start of the process"),
}
"""Figures of a record that stand among its remarks: how they are written, and the words."""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
