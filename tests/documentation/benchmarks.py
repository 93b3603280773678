"""The benchmarks in the pages: what each asks, and where its last figures are from."""

import ast
import re
from pathlib import Path

from tests.documentation.pages import ROOT
from tests.documentation.tables import table

_BENCH = ROOT / "bench"
_PROVENANCE = re.compile(r"commit (\w{8})\w*( with changes)?, ([\d-]+)T.*?; (.*?), ")


def benchmarks() -> str:
    """List the questions, with the commit, the day and the machine of their results."""
    return table(
        ["`ONLY=`", "Question", "Last full run"],
        [
            [f"`{_name_of(module)}`", _question(module), _run(_name_of(module))]
            for module in sorted(_BENCH.rglob("bench_*.py"))
        ],
    )


def _name_of(module: Path) -> str:
    """Return what `ONLY=` selects; of a module in a folder, with the folder's name."""
    folders = module.parent.relative_to(_BENCH).parts
    return "_".join([*folders, module.stem.removeprefix("bench_")])


def _question(module: Path) -> str:
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert text is not None, "a benchmark asks something"
    return text.splitlines()[0]


def _run(name: str) -> str:
    """Describe the run in the file of a benchmark's own name, or of its first words."""
    stems = [path.stem for path in (_BENCH / "results").glob("*.md")]
    fitting = [each for each in stems if name.startswith(each)]
    if not fitting:
        return "none yet"
    stem = max(fitting, key=len)
    line = (_BENCH / "results" / f"{stem}.md").read_text(encoding="utf-8")
    found = _PROVENANCE.search(line)
    assert found is not None, "a result says what was measured, when and where"
    commit, changed, day, machine = found.groups()
    return f"[{day}](results/{stem}.md), {commit}{changed or ''}, {machine}"
