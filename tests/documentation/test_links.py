"""Links between the pages lead to files and sections that exist."""

from pathlib import Path

import pytest

from tests.documentation.pages import PAGES, ROOT, anchors, links, name_of


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_sections_that_exist(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_readme_leads_to_every_page() -> None:
    readme = PAGES[0]
    led_to = {(ROOT / link.partition("#")[0]).resolve() for link in links(readme)}

    results = ROOT / "bench" / "results"
    assert {
        page for page in PAGES if page != readme and not page.is_relative_to(results)
    } <= led_to
