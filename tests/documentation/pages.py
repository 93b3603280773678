"""The pages of the documentation, and what stands in them: blocks, links, sections.

Every fenced block is of a language in `LANGUAGES`: what is shown is run, or is a
picture.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (".github", "bench", "ledger", "metering", "projections", "tests")
PAGES = (
    ROOT / "README.md",
    *sorted(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")),
)

LANGUAGES = {
    "python": "run in order, in one namespace; prints what `# prints …` says",
    "shell": "commands that succeed",
    "console": "commands after `$ `, and what they print",
    "js": "run by node, against a server",
    "text": "a picture, or a layout",
}
_BLOCK = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_GENERATED = re.compile(
    r"(?<=^<!-- generated: )(\S+)( -->\n)(.*?)(?=^<!-- end -->$)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, its text, and where it begins."""

    language: str
    text: str
    line: int


def name_of(page: Path) -> str:
    """Return a page's path from the root, as a test is named for it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of a page in its order, of these languages or all."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(
            language=match[1],
            text=match[2],
            line=text.count("\n", 0, match.start(2)) + 1,
        )
        for match in _BLOCK.finditer(text)
    ]
    return [each for each in found if not languages or each.language in languages]


def links(page: Path) -> Iterator[str]:
    """Yield what the links of a page lead to, its pictures included."""
    prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    yield from _LINK.findall(prose)


def anchors(page: Path) -> set[str]:
    """Return what a link to a section of a page may name, by GitHub's rule."""
    prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose)
    }


def generated(page: Path) -> dict[str, str]:
    """Return the sections of a page that are generated, by the names of their makers."""
    text = page.read_text(encoding="utf-8")
    return {match[1]: match[3] for match in _GENERATED.finditer(text)}


def rewritten(page: Path, sections: dict[str, str]) -> str:
    """Return the text of a page with its generated sections replaced."""
    return _GENERATED.sub(
        lambda match: f"{match[1]}{match[2]}{sections[match[1]]}",
        page.read_text(encoding="utf-8"),
    )
