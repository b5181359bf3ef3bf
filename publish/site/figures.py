"""Charts as inline SVG: a waterfall of credit, a histogram, a Lorenz curve. Numbers in, markup out; colours are the page's.

Each has a table with the same numbers beside it on the page, so the picture itself is one image with a description.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from publish.text import clean

WIDE, ROW, BAR = 440, 42, 16  # of waterfall and bars: narrow, so that their letters are read on a phone


def waterfall(parts: Sequence[tuple[str, int]], total: int) -> Markup:
    """Bars that stand on each other's ends, left to right: where a sum comes from. `parts`: (label, amount)."""
    if not parts or total <= 0:
        return Markup("")
    drawn, at = [], 0
    for number, (label, amount) in enumerate([*parts, ("all together", total)]):
        last = number == len(parts)
        drawn.append(_bar(number, label, 0 if last else at, amount, total, "sum" if last else "bar"))
        at += amount
    height = ROW * len(drawn) + 4
    return _svg(WIDE, height, "waterfall", f"Waterfall of {len(parts)} parts that add up to {total:,} points", drawn)


def _bar(number: int, label: str, start: int, amount: int, most: int, name: str) -> Markup:
    """A line of words with the number at its end, and under it a bar from `start` to `start + amount` of `most`."""
    y = number * ROW
    return (
        Markup('<text class="label" x="0" y="{}">{}</text>').format(y + 15, cut(label))
        + Markup('<text class="value" x="{}" y="{}" text-anchor="end">{:,}</text>').format(WIDE, y + 15, amount)
        + Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}" rx="2"/>').format(
            name, min(start / most * WIDE, WIDE - 2), y + 21, max(2, amount / most * WIDE), BAR
        )
    )


def histogram(bins: Sequence[tuple[int, int, int]], say: str) -> Markup:
    """Payees by amount; `bins`: (from, to, payees)."""
    if not bins:
        return Markup("")
    width, height, foot = 480, 220, 24
    most = max(count for _, _, count in bins)
    step = (width - 20) / len(bins)
    drawn = [
        Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>').format(
            10 + place * step, height - foot - count / most * (height - foot - 24), step - 3, count / most * (height - foot - 24)
        )
        + Markup('<text class="value" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            10 + (place + 0.5) * step, height - foot - count / most * (height - foot - 24) - 5, count or ""
        )
        for place, (_, _, count) in enumerate(bins)
    ]
    drawn.append(Markup('<line class="axis" x1="6" x2="{}" y1="{}" y2="{}"/>').format(width - 6, height - foot, height - foot))
    drawn.append(Markup('<text class="label" x="10" y="{}">0</text>').format(height - 6))
    drawn.append(Markup('<text class="label" x="{}" y="{}" text-anchor="end">largest share</text>').format(width - 10, height - 6))
    return _svg(width, height, "histogram", say, drawn)


def lorenz_curve(points: Sequence[tuple[int, int]], say: str) -> Markup:
    """The share of the budget that the poorest share of payees has, beside the line of equality."""
    size, edge = 240, 12
    scale = (size - 2 * edge) / 10_000
    path = " ".join(f"{edge + x * scale:.1f},{size - edge - y * scale:.1f}" for x, y in points)
    drawn = [
        Markup('<rect class="frame" x="{0}" y="{0}" width="{1}" height="{1}"/>').format(edge, size - 2 * edge),
        Markup('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(edge, size - edge, size - edge, edge),
        Markup('<polygon class="area" points="{} {},{}"/>').format(path, size - edge, size - edge),
        Markup('<polyline class="curve" points="{}"/>').format(path),
    ]
    return _svg(size, size, "lorenz", say, drawn)


def bars(rows: Sequence[tuple[str, int]], say: str) -> Markup:
    """Horizontal bars, the largest first."""
    rows = sorted(rows, key=lambda row: -row[1])[:14]
    if not rows or not rows[0][1]:
        return Markup("")
    drawn = [_bar(number, label, 0, amount, rows[0][1], "bar") for number, (label, amount) in enumerate(rows)]
    return _svg(WIDE, ROW * len(rows) + 4, "bars", say, drawn)


def scatter(points: Sequence[tuple[int, int, int]], size: int, colours: int) -> Markup:
    """A small picture of the map for the eye alone: a path for each colour. `points`: (x, y, topic), a topic below 0 is grey."""
    paths: dict[int, list[str]] = {}
    for x, y, topic in points:
        paths.setdefault(topic % colours if topic >= 0 else -1, []).append(f"M{x * 400 // size} {y * 400 // size}h0")
    drawn = [Markup('<path class="t{}" d="{}"/>').format(max(topic, -1) + 1, "".join(spots)) for topic, spots in sorted(paths.items())]
    return Markup('<svg class="scatter" viewBox="-6 -6 412 412" aria-hidden="true">{}</svg>').format(Markup("").join(drawn))


def cut(label: str, most: int = 44) -> str:
    text = clean(label)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _svg(width: int, height: int, name: str, say: str, drawn: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        name, width, height, escape(say), Markup("").join(drawn)
    )
