# SPDX-License-Identifier: Apache-2.0
"""The curves of a load run as SVG: resident memory per process, and workers alive, over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

WIDTH: Final = 760
PANEL: Final = 200
LEFT, RIGHT, TOP, GAP = 60, 110, 30, 50
COLOURS: Final = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2")
STYLE: Final = 'font-family="sans-serif" font-size="12" fill="#333"'

Points = Sequence[tuple[float, float]]


def plot(result: dict[str, Any]) -> str:
    """Two panels under one another."""
    moments = result["moments"]
    names = list(moments[0]["holdings"])
    memory: Mapping[str, Points] = {
        name: [(m["at_s"], m["holdings"][name]["rss_kib"] / 1024) for m in moments]
        for name in names
    }
    workers = {"workers": [(m["at_s"], float(m["workers"])) for m in moments]}
    height = TOP + 2 * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {STYLE}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_panel("resident memory, MiB", memory, TOP),
        *_panel("workers alive", workers, TOP + PANEL + GAP),
        f'<text x="{LEFT}" y="{height - 8}">seconds; {result["requests"]} requests, '
        f"{result['workers_killed']} workers killed, {result['epochs']} epochs of keys</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(title: str, lines: Mapping[str, Points], top: int) -> Iterator[str]:
    last = max(x for points in lines.values() for x, _ in points) or 1.0
    most = _round_up(max(y for points in lines.values() for _, y in points))
    across, bottom = WIDTH - LEFT - RIGHT, top + PANEL
    yield f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{title}</text>'
    for quarter in range(5):
        y = bottom - PANEL * quarter / 4
        yield f'<path d="M{LEFT} {y:.1f}h{across}" stroke="#ddd"/>'
        label = f"{most * quarter / 4:g}"
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        x = LEFT + across * quarter / 4
        time_s = f"{last * quarter / 4:.0f}"
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{time_s}</text>'
    for row, (name, points) in enumerate(lines.items()):
        colour = COLOURS[row % len(COLOURS)]
        path = " ".join(
            f"{LEFT + across * x / last:.1f},{bottom - PANEL * y / most:.1f}" for x, y in points
        )
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        at = f'x="{WIDTH - RIGHT + 10}" y="{top + 14 + 16 * row}"'
        yield f'<text {at} style="fill:{colour}">{name}</text>'


def _round_up(value: float) -> float:
    """The next of 4, 8, 20, 40, 80, 200 ... so that quarters are whole."""
    step = 4.0
    while True:
        for factor in (1, 2, 5):
            if value <= step * factor:
                return step * factor
        step *= 10
