"""Let pytest explain the assertions of the modules that the laws share."""

import pytest

pytest.register_assert_rewrite(
    "tests.property.side_by_side",
    "tests.property.answers",
    "tests.property.credits_answers",
    "tests.property.credits_invariants",
    "tests.property.credits_runs",
    "tests.property.credits_side_by_side",
)
