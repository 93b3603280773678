"""Rewrite what is generated in the pages: `python -m tests.documentation`."""

import sys

from tests.documentation.pages import PAGES, generated, name_of, rewritten
from tests.documentation.sections import SECTIONS


def main() -> None:
    """Rewrite every page that has stale sections, and name it."""
    for page in PAGES:
        fresh = rewritten(page, {name: SECTIONS[name]() for name in generated(page)})
        if fresh != page.read_text(encoding="utf-8"):
            page.write_text(fresh, encoding="utf-8")
            sys.stdout.write(f"{name_of(page)}\n")


main()
