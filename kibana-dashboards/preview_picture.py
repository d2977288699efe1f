"""A dashboard -> a PNG, without a browser: the same drawings and texts, laid out as one SVG."""

import io
import re
from html import escape, unescape

import vl_convert
from markdown_it import MarkdownIt
from PIL import Image

from panel_drawing import PADDING, TITLE, WIDTH, Box, Chart, Drawing, Words, box
from panel_text import Cells, Tile
from preview_fonts import FAMILIES, Fonts
from preview_page import DrawnDashboard
from preview_theme import painted
from safe_svg import SVG
from saved_objects import Panel

MARGIN, HEADER, FOOTER = 24, 68, 44
SCALE = 1.5
LINE, CELL = 28, 13
"""The height of a table's row and the size of its text."""
COLUMN_GAP = 16


def picture(drawn: DrawnDashboard, made: str, fonts: Fonts, theme: dict[str, str]) -> bytes:
    """The dashboard as a PNG in the colours of the theme; of 256 colours, which makes it a seventh as large."""
    drawing = vl_convert.svg_to_png(painted(picture_svg(drawn, made, fonts), theme), scale=SCALE)
    small = io.BytesIO()
    with Image.open(io.BytesIO(drawing)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def picture_svg(drawn: DrawnDashboard, made: str, fonts: Fonts) -> str:
    """The dashboard as one drawing, with the names of colours."""
    pen = Pen(fonts)
    panels = list(zip(drawn.dashboard.panels, drawn.drawings, strict=True))
    bottom = max((box(panel.grid).y + box(panel.grid).height for panel, _ in panels), default=0)
    width, height = WIDTH + 2 * MARGIN, HEADER + bottom + FOOTER
    inner = "".join(_panel(panel, drawing, pen) for panel, drawing in panels)
    return (
        f'<svg xmlns="{SVG}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{FAMILIES}"><rect width="{width}" height="{height}" fill="var(--page)"/>'
        f"{_header(drawn, pen)}"
        f'<g transform="translate({MARGIN},{HEADER})">{inner}</g>'
        f"{pen.text(MARGIN, height - 16, made, 12, 'subdued')}</svg>"
    )


class Pen:
    """Writes text that is cut to its room; what no font has is left out."""

    def __init__(self, fonts: Fonts) -> None:
        self.fonts = fonts

    def text(
        self, x: float, y: float, text: str, size: float, colour: str = "text", bold: bool = False,
        room: float = 1e6, end: bool = False,
    ) -> str:  # fmt: skip
        """Text on the line `y`; with `end` it ends at `x`."""
        weight = 700 if bold else 400
        cut = self.fonts.fitted(self.fonts.drawable(text), room, size, weight)
        start = x - self.fonts.width(cut, size, weight) if end else x
        return (
            f'<text y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="var(--{colour})">'
            f"{self.spans(cut, start, size, weight)}</text>"
        )

    def spans(self, text: str, x: float, size: float, weight: int = 400) -> str:
        """The text from `x` on, part by part: what stands in one piece gets one font for all of it."""
        parts = []
        for family, part in self.fonts.runs(text):
            parts.append(f'<tspan x="{x:.1f}" font-family="{family}">{escape(part)}</tspan>')
            x += self.fonts.width(part, size, weight)
        return "".join(parts)

    def chart_text(self, found: re.Match[str]) -> str:
        """A text of a chart, part by part; a name that lacks letters is left out, since it would be another one."""
        if self.fonts.lacks_letters(unescape(found[2])):
            return ""
        given, text = found[1], self.fonts.drawable(unescape(found[2]))
        size = float((re.search(r'font-size="([\d.]+)', given) or ["", "12"])[1])
        anchor = (re.search(r'text-anchor="(\w+)"', given) or ["", "start"])[1]
        start = float((re.search(r' x="(-?[\d.]+)"', given) or ["", "0"])[1])
        start -= {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * self.fonts.width(text, size)
        return f"<text{given.replace(anchor, 'start')}>{self.spans(text, start, size)}</text>"

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """How wide the text will be."""
        return self.fonts.width(self.fonts.drawable(text), size, 700 if bold else 400)

    def lines(self, text: str, size: float, room: float, bold: bool = False) -> list[str]:
        """The text in lines that fit."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self.width(longer, size, bold) > room:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines


def _header(drawn: DrawnDashboard, pen: Pen) -> str:
    parts = [pen.text(MARGIN, 44, drawn.dashboard.title, 24, bold=True)]
    right: float = MARGIN + WIDTH
    chips = [("", drawn.span), *reversed(drawn.dashboard.controls)]
    for title, text in chips:
        head, body = pen.width(title, 13, bold=True) + (6 if title else 0), pen.width(text, 13)
        left = right - head - body - 24
        parts.append(_card(Box(left, 20, right - left, 32), 6))
        parts.append(pen.text(left + 12, 41, title, 13, bold=True))
        parts.append(pen.text(left + 12 + head, 41, text, 13, "subdued"))
        right = left - 12
    return "".join(parts)


def _card(place: Box, radius: int = 8) -> str:
    return (
        f'<rect x="{place.x + 0.5:.1f}" y="{place.y + 0.5:.1f}" width="{place.width - 1:.1f}" '
        f'height="{place.height - 1:.1f}" rx="{radius}" fill="var(--panel)" stroke="var(--border)"/>'
    )


def _panel(panel: Panel, drawing: Drawing, pen: Pen) -> str:
    place = box(panel.grid)
    top = TITLE if panel.title else PADDING
    inside = Box(PADDING, top, place.width - 2 * PADDING, place.height - top - PADDING)
    title = pen.text(PADDING, 25, panel.title, 14, bold=True, room=inside.width)
    body = _body(drawing, inside, pen)
    return f'{_card(place)}<g transform="translate({place.x:.1f},{place.y:.1f})">{title}{body}</g>'


def _body(drawing: Drawing, inside: Box, pen: Pen) -> str:
    if isinstance(drawing, Chart):
        untold = re.sub(r"<title>[^<]*</title>", "", drawing.wide)
        drawable = re.sub(r"<text([^>]*)>([^<]+)</text>", pen.chart_text, untold)
        width, height = (float(size) for size in re.findall(r' (?:width|height)="([\d.]+)"', drawable)[:2])
        x, y = inside.x + (inside.width - width) / 2, inside.y + (inside.height - height) / 2
        return f'<g transform="translate({x:.1f},{y:.1f})">{drawable}</g>'
    if isinstance(drawing, Cells):
        return _table(drawing, inside, pen)
    if isinstance(drawing, Tile):
        return _tile(drawing, inside, pen)
    if isinstance(drawing, Words):
        return _words(drawing.markdown, inside, pen)
    x = inside.x + inside.width / 2 - pen.width(drawing.text, 13) / 2
    return pen.text(x, inside.y + inside.height / 2, drawing.text, 13, "subdued", room=inside.width)


def _tile(tile: Tile, inside: Box, pen: Pen) -> str:
    foot = inside.y + inside.height
    parts = [pen.text(inside.x, inside.y + 14, tile.label, 13, "subdued", room=inside.width)]
    parts.append(pen.text(inside.x, foot - (30 if tile.before else 6), tile.value, 40, bold=True))
    x = inside.x
    if tile.change:
        wide = pen.width(tile.change, 13, bold=True) + 14
        parts.append(
            f'<rect x="{x}" y="{foot - 17}" width="{wide:.1f}" height="21" rx="4" fill="var(--bar)"/>'
        )
        parts.append(pen.text(x + 7, foot - 2, tile.change, 13, tile.way or "text", bold=True))
        x += wide + 10
    parts.append(pen.text(x, foot - 2, tile.before, 13, "subdued", room=inside.x + inside.width - x))
    return "".join(parts)


def _words(markdown: str, inside: Box, pen: Pen) -> str:
    parts: list[str] = []
    y, size = inside.y, 13.0
    for token in MarkdownIt("commonmark", {"html": False}).parse(markdown):
        if token.type.endswith("_open"):
            size = 16.0 if token.type == "heading_open" else 13.0
        if token.type != "inline":
            continue
        text = "".join(child.content or " " for child in token.children or [])
        for line in pen.lines(text, size, inside.width, bold=size > 13):
            y += size * 1.45
            if y <= inside.y + inside.height:
                parts.append(pen.text(inside.x, y, line, size, "text" if size > 13 else "subdued", size > 13))
        y += 3
    return "".join(parts)


# tables


def _table(cells: Cells, inside: Box, pen: Pen) -> str:
    widths = _widths(cells, inside.width, pen)
    heads = [
        pen.lines(label, 12, width, bold=True) for label, width in zip(cells.labels, widths, strict=True)
    ]
    y = inside.y + 15 * max(map(len, heads)) + 3
    lefts = [inside.x + sum(widths[:place]) + place * COLUMN_GAP for place in range(len(widths))]
    parts = []
    for left, width, numeric, lines in zip(lefts, widths, cells.numeric, heads, strict=True):
        for up, line in enumerate(reversed(lines)):
            x = left + width if numeric else left
            parts.append(pen.text(x, y - 7 - 15 * up, line, 12, "subdued", bold=True, end=numeric))
    for row in cells.rows:
        parts.append(f'<path d="M0 {y:.1f}h{inside.width + 2 * PADDING:.1f}" stroke="var(--grid)"/>')
        if y + LINE > inside.y + inside.height + PADDING:
            break
        for left, width, numeric, cell in zip(lefts, widths, cells.numeric, row, strict=True):
            x = left + width if numeric else left
            colour = "link" if cell.link else "text"
            parts.append(pen.text(x, y + 18.5, cell.text, CELL, colour, room=width, end=numeric))
        y += LINE
    return "".join(parts)


def _widths(cells: Cells, room: float, pen: Pen) -> list[float]:
    """The widths of the columns: what they need; what is over or missing is the widest one's."""
    needed = []
    for place, label in enumerate(cells.labels):
        texts = [pen.width(row[place].text, CELL) for row in cells.rows]
        words = [pen.width(word, 12, bold=True) for word in label.split()]
        needed.append(max([*texts, *words, 20]) + 2)
    free = room - COLUMN_GAP * (len(needed) - 1) - sum(needed)
    if free > 0 and max(needed) < 0.4 * room:
        return [width + free / len(needed) for width in needed]
    widest = needed.index(max(needed))
    needed[widest] = max(40, needed[widest] + free)
    return needed
