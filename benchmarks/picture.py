"""A picture of timelines, as SVG: one row for each way of doing the same, one bar for each phase of it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 860  # all in px
_LABEL: Final = 130
_BAR: Final = 26
_ROW: Final = 96
_TOP: Final = 46
_AXIS: Final = 34
_COLOURS: Final = ("#4c78a8", "#f58518", "#54a24b", "#b79a20", "#e45756", "#72b7b2", "#9d755d", "#bab0ac")
_TICKS: Final = (0.5, 1, 2, 5, 10, 20, 60)  # s between ticks


@dataclass(frozen=True)
class Row:
    """One timeline.

    Args:
        label: on the left.
        phases: name and end of each, in order, in seconds since the beginning.
    """

    label: str
    phases: Sequence[tuple[str, float]]


def draw(title: str, rows: Sequence[Row]) -> str:
    """The text of an SVG file."""
    longest = max(row.phases[-1][1] for row in rows)
    scale = (_WIDTH - _LABEL - 56) / longest
    height = _TOP + _ROW * len(rows) + _AXIS
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>{escape(title)}</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="26" font-size="16">{escape(title)}</text>',
    ]
    for index, row in enumerate(rows):
        parts += _row(row, _TOP + index * _ROW, scale)
    parts += _axis(longest, scale, _TOP + _ROW * len(rows))
    return "\n".join([*parts, "</svg>", ""])


def _row(row: Row, top: float, scale: float) -> list[str]:
    drawn = [f'<text x="12" y="{top + 18}" font-weight="bold">{escape(row.label)}</text>']
    begin = 0.0
    for number, (name, end) in enumerate(row.phases):
        x, width = _LABEL + begin * scale, max((end - begin) * scale, 0.5)
        colour = _COLOURS[number % len(_COLOURS)]
        told = f"{name} {end - begin:.1f} s"
        drawn.append(
            f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}">'
            f"<title>{escape(told)}</title></rect>"
        )
        # Below the bar, in turns, so that short phases do not write over each other.
        drawn.append(
            f'<text x="{x:.1f}" y="{top + _BAR + 14 + 13 * (number % 3)}" font-size="10" fill="{colour}">'
            f"{escape(told)}</text>"
        )
        begin = end
    drawn.append(f'<text x="{_LABEL + begin * scale + 4:.1f}" y="{top + 18}">{begin:.1f} s</text>')
    return drawn


def _axis(longest: float, scale: float, top: float) -> list[str]:
    step = next((tick for tick in _TICKS if longest / tick <= 12), _TICKS[-1])
    drawn = []
    for number in range(int(longest / step) + 1):
        x = _LABEL + number * step * scale
        drawn.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{top}" stroke="#ddd" stroke-dasharray="2 3"/>')
        drawn.append(f'<text x="{x:.1f}" y="{top + 16}" text-anchor="middle" fill="#555">{number * step:g} s</text>')
    return drawn
