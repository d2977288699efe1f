"""Values of a table as text: numbers and dates as Kibana shows them, cells of a table, the figure of a tile."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from panel_rows import Column, Table
from saved_objects import Panel
from time_window import Window

Json = dict[str, Any]

NOTHING = "–"
SHOWN_ROWS = 100


@dataclass(frozen=True)
class Cell:
    """A value of a table: its text, and the address that it leads to."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Cells:
    """A table to be drawn. `numeric`: which columns hold numbers; they stand to the right."""

    labels: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True)
class Tile:
    """One large figure; where it is compared: with what, in words, the change, and its way, up or down."""

    label: str
    value: str
    before: str = ""
    change: str = ""
    way: str = ""


def shown(value: Any, column: Column, zone: ZoneInfo) -> str:
    """A value as Kibana shows it by the column's format."""
    if value is None or value == "":
        return NOTHING
    if column.kind == "date":
        return _date(value, zone)
    if isinstance(value, (int, float)):
        return number(value, column.format)
    return str(value)


def number(value: float, format_: Json) -> str:
    """A number: 17,960 or 12.5 %, with as many decimals as the format says, else at most three."""
    params = format_.get("params", {})
    percent = format_.get("id") == "percent"
    decimals = params.get("decimals", 3)
    text = f"{value * 100 if percent else value:,.{decimals}f}"
    if "decimals" not in params and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text}{'%' if percent else ''}{params.get('suffix', '')}"


def clock_offset(milliseconds: float, zone: ZoneInfo) -> float:
    """How far a clock in the zone is ahead of UTC at a moment, in milliseconds, for charts that know only UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return (moment.astimezone(zone).utcoffset() or timedelta()).total_seconds() * 1000


def span_text(window: Window, zone: ZoneInfo) -> str:
    """A time range in words."""
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    last = f"{end:%H:%M:%S}" if start.date() == end.date() else _written(end)
    return f"{_written(start)} → {last} {zone.key}"


def cells(panel: Panel, table: Table, zone: ZoneInfo) -> Cells:
    """The table that a table panel or a saved search shows: its columns, sorted, the first page."""
    ids, rows = [column.id for column in table.columns], table.rows
    if panel.shape != "search":
        look = panel.content["visualization"]
        ids = [each["columnId"] for each in look.get("columns", []) if not each.get("hidden")]
        rows = _sorted(rows, look.get("sorting") or {})
        if look.get("paging", {}).get("enabled"):
            rows = rows[: look["paging"]["size"]]
    columns = [table.column(id_) for id_ in ids]
    return Cells(
        tuple(column.label for column in columns),
        tuple(column.kind == "number" for column in columns),
        [tuple(_cell(row[column.id], column, zone) for column in columns) for row in rows[:SHOWN_ROWS]],
    )


def tile(panel: Panel, table: Table, zone: ZoneInfo) -> Tile:
    """The figure of a metric panel, and its change against the secondary one."""
    look, row = panel.content["visualization"], table.rows[0]
    column = table.column(look["metricAccessor"])
    value, label = row[column.id], look.get("subtitle") or column.label
    second = look.get("secondaryMetricAccessor")
    if not second:
        return Tile(label, shown(value, column, zone))
    other, before = table.column(second), row[second]
    words = f"{look.get('secondaryPrefix') or other.label} {shown(before, other, zone)}"
    return Tile(label, shown(value, column, zone), words, *_change(value, before, column))


def _change(value: float | None, before: float | None, column: Column) -> tuple[str, str]:
    """The change in percent, of a percentage in points; and its way."""
    if value is None or before is None or not before:
        return "", ""
    points = column.format.get("id") == "percent"
    change = 100 * (value - before) / (1 if points else before)
    text = f"{abs(change):,.1f}{' points' if points else '%'}"
    if not round(change, 1):
        return f"± {text}", ""
    return (f"▲ {text}", "up") if change > 0 else (f"▼ {text}", "down")


def safe_link(address: str) -> str:
    """The address where it is one of the web; else nothing."""
    try:
        parts = urlsplit(address)
        return address if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def _cell(value: Any, column: Column, zone: ZoneInfo) -> Cell:
    text, params = shown(value, column, zone), column.format.get("params", {})
    if column.format.get("id") == "url" and text != NOTHING:
        address = params.get("urlTemplate", "{{value}}").replace("{{value}}", quote(text, safe=":/?#&=@%"))
        label = params.get("labelTemplate", "{{value}}").replace("{{value}}", text)
        return Cell(label, safe_link(address))
    return Cell(text)


def _sorted(rows: list[Json], sorting: Json) -> list[Json]:
    name, descending = sorting.get("columnId"), sorting.get("direction") == "desc"
    if not name:
        return rows
    known = [row for row in rows if row[name] is not None]
    return sorted(known, key=lambda row: row[name], reverse=descending) + [r for r in rows if r[name] is None]


def _date(value: Any, zone: ZoneInfo) -> str:
    """A date, in milliseconds or as Elasticsearch writes it."""
    try:
        moment = (
            datetime.fromisoformat(value)
            if isinstance(value, str)
            else datetime.fromtimestamp(value / 1000, UTC)
        )
    except ValueError:
        return str(value)
    return _written(moment.astimezone(zone))


def _written(moment: datetime) -> str:
    """A date as Kibana writes it: Nov 2, 2026 @ 09:05:00."""
    return f"{moment:%b} {moment.day}, {moment:%Y @ %H:%M:%S}"  # Windows knows no %-d
