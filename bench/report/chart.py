"""Draw a run as horizontal bars, in SVG: one panel a group, one bar a contestant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 900
LABEL_WIDTH: Final = 300
FIGURE_WIDTH: Final = 130
ROW_HEIGHT: Final = 24
COLOURS: Final = {"project": "#0b6e4f", "peer": "#8d99ae", "limit": "#d9c5b2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A contestant's length in its panel and what is written beside it."""

    label: str
    role: str
    length: float
    figure: str


def chart(panels: Mapping[str, Sequence[Bar]]) -> str:
    """Draw each panel on its own scale, so that lengths compare within it only."""
    lines: list[str] = []
    top = 0
    for title, bars in panels.items():
        top += ROW_HEIGHT
        lines.append(_text(8, top, title, weight="bold"))
        longest = max(bar.length for bar in bars)
        for bar in bars:
            top += ROW_HEIGHT
            lines += _bar(top, bar, bar.length / longest)
        top += ROW_HEIGHT // 2
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + 8}" '
        'font-family="sans-serif" font-size="13">'
    )
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, background, *lines, "</svg>\n"])


def _bar(top: int, bar: Bar, share: float) -> list[str]:
    width = max(1, round((WIDTH - LABEL_WIDTH - FIGURE_WIDTH) * share))
    return [
        _text(20, top, bar.label),
        (
            f'<rect x="{LABEL_WIDTH}" y="{top - 13}" width="{width}" height="16" '
            f'fill="{COLOURS[bar.role]}"/>'
        ),
        _text(LABEL_WIDTH + width + 6, top, bar.figure),
    ]


def _text(left: int, top: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{left}" y="{top}" font-weight="{weight}">{escape(text)}</text>'
