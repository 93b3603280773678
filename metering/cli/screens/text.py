"""Strings for a screen: numbers with separators, times, bars; never control characters."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

LEVELS = " ▁▂▃▄▅▆▇█"
PLAIN_LEVELS = " .:-=+*#@"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def printable(text: str) -> str:
    """Escape what would move the cursor, colour the screen or turn the line around."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def number(count: int) -> str:
    """Write an integer with separators."""
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """Write how many there are of something, in one or in many."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def quantities(values: Sequence[Decimal]) -> list[str]:
    """Write exact decimals with separators, their points below each other.

    Aligned to the right, that is: blanks stand for the digits that others have.
    """
    written = [f"{value:,f}" for value in values]
    tails = [len(text) - len(text.partition(".")[0]) for text in written]
    longest = max(tails, default=0)
    return [
        text + " " * (longest - tail) for text, tail in zip(written, tails, strict=True)
    ]


def moment(time: datetime) -> str:
    """Write a time in UTC with all its digits."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def second(time: datetime) -> str:
    """Write a time in UTC without the fraction of its second."""
    return moment(time.replace(microsecond=0))


def rate(rows: int, seconds: float) -> str:
    """Write how many rows were dealt with in a second."""
    return number(round(rows / seconds)) if seconds > 0 else ""


def sparkline(values: Sequence[Decimal], levels: str = LEVELS) -> str:
    """Draw values as heights, the largest as high as it goes, nothing as a blank."""
    largest = max(values, default=Decimal(0))
    if largest <= 0:
        return levels[0] * len(values)
    top = len(levels) - 1
    return "".join(
        # Whatever is there shows.
        levels[max(1, round(value / largest * top)) if value > 0 else 0]
        for value in values
    )


def bar(value: Decimal, largest: Decimal, width: int, *, is_plain: bool) -> str:
    """Draw a value as a length; what is not above nothing has none."""
    if value <= 0:
        return ""
    eighths = max(1, round(value / largest * width * 8))
    if is_plain:
        return "#" * max(1, eighths // 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def program() -> str:
    """Name this program as the shell that started it can call it again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m metering"
    found = shutil.which(called.name)
    if found is not None and called.exists() and Path(found).samefile(called):
        return shlex.quote(called.name)
    if called.is_absolute() and called.is_relative_to(Path.cwd()):
        called = called.relative_to(Path.cwd())
    return shlex.quote(str(called))
