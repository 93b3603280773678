"""Options that stand for a request's fields: read, bounded and explained by the fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta
from typer import Typer
from typer.testing import CliRunner, Result

from metering.arguments.times import Time
from metering.cli.door import Door
from metering.cli.options import FieldOption
from metering.cli.signatures import extended

Colour = Literal["red", "blue"]
READ: dict[str, object] = {}


class _Paint(msgspec.Struct, frozen=True, kw_only=True):
    """What is painted.

    Attributes:
        title: what it is called, which is said here
            in two lines.
        coats: how often.
        colour: which one.
        dry_at: when it can be touched.
        words: written on it.
    """

    title: Annotated[str, Meta(min_length=1, max_length=4)]
    coats: Annotated[int, Meta(ge=2, le=7)] = 3
    colour: Colour = "red"
    dry_at: Time | None = None
    words: Sequence[Annotated[str, Meta(min_length=1, max_length=2)]] | None = None


def _paint(
    target: object,
    *,
    title: Annotated[str, FieldOption(_Paint)],
    layers: Annotated[int, FieldOption(_Paint, "coats", "N")],
    colour: Annotated[Colour, FieldOption(_Paint)],
    dry_at: Annotated[datetime | None, FieldOption(_Paint)],
    words: Annotated[list[str] | None, FieldOption(_Paint, more="Few.")],
) -> None:
    """Paint."""


def _run(*arguments: str) -> Result:
    app = Typer(cls=Door, rich_markup_mode=None)
    app.callback()(lambda: None)
    app.command("paint")(extended(_paint, {}, lambda _, own, __: READ.update(own)))
    READ.clear()
    return CliRunner().invoke(app, ["paint", *arguments])


def test_options_are_read_as_their_fields_are() -> None:
    day = "2026-01-31"

    result = _run("--title", "door", "--dry-at", day, "--words", "a", "--words", "b")

    assert result.exit_code == 0, result.output
    assert {
        "title": "door",
        "layers": 3,
        "colour": "red",
        "dry_at": datetime(2026, 1, 31, tzinfo=UTC),
        "words": ["a", "b"],
    } == READ


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        ([], 2, "Missing option '--title'"),
        (
            ["--title", "doors"],
            1,
            "Invalid --title: 'doors'; must be a string of 1 to 4",
        ),
        (["--title", "a", "--layers", "8"], 2, "'--layers'"),
        (["--title", "a", "--colour", "green"], 2, "--colour"),
        (["--title", "a", "--dry-at", "soon"], 1, "Invalid --dry-at"),
        (["--title", "a", "--words", "abc"], 1, "Invalid --words: 'abc'"),
    ],
)
def test_values_that_a_field_does_not_take_are_refused_by_the_option(
    arguments: list[str], exit_code: int, words: str
) -> None:
    result = _run(*arguments)

    assert (result.exit_code, READ) == (exit_code, {})
    assert words in result.stderr


def test_help_is_what_the_schema_says() -> None:
    shown = " ".join(_run("--help").stdout.split())

    assert "--title TITLE What it is called, which is said here in two lines." in shown
    assert "--layers N How often. [default: 3; 2<=x<=7]" in shown
    assert "--colour <red|blue> Which one. [default: red]" in shown
    assert "--dry-at TIME When it can be touched." in shown
    assert "--words WORDS Written on it. Few. May be repeated." in shown
