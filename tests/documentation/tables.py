"""Tables of Markdown."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown, with an empty line before it and after it."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    ]
    return "\n" + "\n".join(cells) + "\n\n"


def first_sentence(documented: object) -> str:
    """Return the first line of what is documented, as a sentence in a table."""
    text = (documented.__doc__ or "").strip().splitlines()[0]
    return text.removesuffix(".")
