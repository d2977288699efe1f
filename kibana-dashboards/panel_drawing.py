"""Panels with their tables -> what is drawn: a chart, a table, a large figure, words, or why there is nothing."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import vl_convert

from chart_parts import Canvas, Json
from chart_specs import chart_spec
from panel_query import NotDrawn
from panel_rows import Table
from panel_text import Cells, Tile, cells, tile
from preview_fonts import Fonts
from preview_theme import SERIES_COLOURS
from safe_svg import SVG, safe_svg
from saved_objects import Dashboard, Grid, Panel
from tag_cloud import tag_cloud

ROW, GAP, COLUMNS = 20, 8, 48
WIDTH = 1568
"""Kibana's grid, in pixels: the height of a row, the gap between panels; and how wide a dashboard is drawn."""
TITLE, PADDING = 36, 14
PHONE = 390
LONGEST_TAG = 18
"""How wide a tag may be, as a multiple of its font size: about 30 letters."""


@dataclass(frozen=True)
class Chart:
    """A drawing for the place in the grid, and one for a narrow screen."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class Words:
    """Markdown."""

    markdown: str


@dataclass(frozen=True)
class Note:
    """Why there is nothing to see."""

    text: str


Drawing = Chart | Cells | Tile | Words | Note


@dataclass(frozen=True)
class Box:
    """A place in pixels."""

    x: float
    y: float
    width: float
    height: float


def box(grid: Grid) -> Box:
    """The place of a panel on a dashboard that is WIDTH wide."""
    column = (WIDTH - (COLUMNS - 1) * GAP) / COLUMNS + GAP
    return Box(
        grid.x * column, grid.y * (ROW + GAP), grid.w * column - GAP, grid.h * (ROW + GAP) - GAP
    )  # fmt: skip


def draw(panel: Panel, table: Table | None, zone: ZoneInfo, fonts: Fonts, name: str) -> Drawing:
    """Draw a panel. `table` is None for a panel of words; `name` is its own on the page."""
    try:
        if table is None:
            return Words(panel.content["markdown"])
        if panel.shape == "lnsMetric" and table.rows:
            return tile(panel, table, zone)
        if not table.rows or not table.total:
            return Note("No results found")
        if panel.shape in ("search", "lnsDatatable"):
            return cells(panel, table, zone)
        return _chart(panel, table, zone, fonts, name)
    except NotDrawn as reason:
        return not_drawn(reason)


def words_of(
    dashboards: Iterable[Dashboard], tables: Iterable[Iterable[Table | NotDrawn | None]]
) -> Iterator[str]:
    """All text that will be drawn, for the fonts."""
    for dashboard in dashboards:
        yield dashboard.title
        yield from (text for pair in dashboard.controls for text in pair)
        for panel in dashboard.panels:
            yield panel.title
            yield json.dumps(panel.content, ensure_ascii=False)
    for table in (table for its in tables for table in its if isinstance(table, Table)):
        yield from (column.label for column in table.columns)
        yield from (str(value) for row in table.rows for value in row.values())


def not_drawn(reason: NotDrawn) -> Note:
    """What the preview can't draw, said where it would stand."""
    return Note(f"Not drawn by the preview: {reason}")


def _chart(panel: Panel, table: Table, zone: ZoneInfo, fonts: Fonts, name: str) -> Chart:
    place = box(panel.grid)
    wide = (int(place.width - 2 * PADDING), int(place.height - PADDING - (TITLE if panel.title else PADDING)))
    drawn = []
    for size, (width, height) in (("wide", wide), ("narrow", (PHONE, min(340, max(220, wide[1]))))):
        canvas = Canvas(width, height, zone, fonts)
        if panel.shape == "lnsTagcloud":
            drawing = _tag_cloud(panel, table, canvas)
        else:
            drawing = _vega(chart_spec(panel, table, canvas))
        drawn.append(safe_svg(drawing, f"{name}-{size}-"))
    return Chart(*drawn)


def _vega(spec: Json) -> str:
    """The chart as SVG. Raises NotDrawn where Vega-Lite can't draw it, so that the other panels still come."""
    try:
        drawing: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    except ValueError as error:
        raise NotDrawn("Vega-Lite refuses this chart") from error
    return drawing


def _tag_cloud(panel: Panel, table: Table, canvas: Canvas) -> str:
    """The cloud with all tags as they are: a browser has fonts for what ours can't draw."""
    look: Any = panel.content["visualization"]
    tags = [(str(row[look["tagAccessor"]]), row[look["valueAccessor"]]) for row in table.rows]
    tags = sorted(((tag, value) for tag, value in tags if tag and value), key=lambda each: -each[1])
    sizes = (look.get("minFontSize", 18) * 0.8, look.get("maxFontSize", 72))
    short = [(canvas.fonts.fitted(tag, LONGEST_TAG, 1), value) for tag, value in tags]
    placed = tag_cloud(short, canvas.width, canvas.height, sizes, canvas.fonts.width)
    words = "".join(
        f'<text x="{word.x}" y="{word.y + word.size * 0.35:.1f}" text-anchor="middle" '
        f'font-size="{word.size}" fill="{SERIES_COLOURS[word.rank % len(SERIES_COLOURS)]}">{escape(word.text)}'
        f"<title>{escape(tags[word.rank][0])} · {tags[word.rank][1]:,}</title></text>"
        for word in placed
    )
    return (
        f'<svg xmlns="{SVG}" width="{canvas.width}" height="{canvas.height}" '
        f'viewBox="0 0 {canvas.width} {canvas.height}">{words}</svg>'
    )
