"""What is generated in the pages follows from the code of today."""

import pytest

from tests.documentation.pages import PAGES, generated
from tests.documentation.sections import SECTIONS

_STANDS = {name: text for page in PAGES for name, text in generated(page).items()}


@pytest.mark.parametrize("name", SECTIONS)
def test_section_is_that_of_the_code(name: str) -> None:
    assert _STANDS[name] == SECTIONS[name](), "make docs rewrites it"


def test_every_section_has_its_generator() -> None:
    assert _STANDS.keys() == SECTIONS.keys()
