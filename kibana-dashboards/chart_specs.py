"""Tables -> charts in Vega-Lite, in the shapes of Lens. Pure: sizes in pixels, colours by name (`var(--text)`)."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from panel_query import NotDrawn, buckets
from panel_rows import OTHER, Column, Table
from panel_text import number, shown, wall_clock
from preview_fonts import FAMILIES
from preview_theme import HEAT_COLOURS, SERIES_COLOURS
from saved_objects import Panel

Json = dict[str, Any]

TEXT, SUBDUED, GRID, OTHERS, SURFACE = (f"var(--{name})" for name in ("text", "subdued", "grid", "other", "panel"))
THICKEST_BAR = 34
LARGEST_CELL = (96, 56)
NARROW = 420
ROOM_FOR_LEGEND = 560


@dataclass(frozen=True)
class Canvas:
    """The size of a chart in pixels, and the time zone of its clock."""

    width: int
    height: int
    zone: ZoneInfo

    @property
    def narrow(self) -> bool:
        return self.width < NARROW


def chart_spec(panel: Panel, table: Table, canvas: Canvas) -> Json:
    """The chart of a panel. Raises NotDrawn for shapes that the preview does not know."""
    look = panel.content["visualization"]
    if panel.shape == "lnsXY":
        layer = look["layers"][0]
        spec = _horizontal_bars if "horizontal" in layer["seriesType"] else _xy
        return _framed(spec(layer, look, table, canvas), canvas)
    if panel.shape == "lnsPie" and look["shape"] in ("pie", "donut"):
        return _framed(_pie(look["shape"], look["layers"][0], table, canvas), canvas)
    if panel.shape == "lnsHeatmap":
        return _framed(_heatmap(look, panel, table, canvas), canvas)
    if panel.shape == "lnsChoropleth":
        layer = {"xAccessor": look["regionAccessor"], "accessors": [look["valueAccessor"]]}
        return _framed(_horizontal_bars(layer, look, table, canvas), canvas)
    raise NotDrawn(f"{panel.shape} {look.get('shape', '')}".strip())


def _framed(spec: Json, canvas: Canvas) -> Json:
    below = canvas.width < (NARROW if spec.get("mark", {}).get("type") == "arc" else ROOM_FOR_LEGEND)
    axis = {
        "labelColor": SUBDUED, "titleColor": SUBDUED, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400, "titlePadding": 10, "labelPadding": 6,
        "domain": False, "ticks": False, "labelLimit": int(canvas.width * 0.36),
    }  # fmt: skip
    legend = {
        "labelColor": TEXT, "labelFontSize": 12, "symbolType": "circle", "symbolSize": 90, "title": None,
        "symbolStrokeWidth": 0, "rowPadding": 6, "labelLimit": 150, "labelOffset": 6,
        **({"orient": "bottom", "columns": max(2, canvas.width // 120), "columnPadding": 14} if below
           else {"orient": "right", "offset": 16}),
    }  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": canvas.width, "height": canvas.height, "padding": 2, "background": None,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"font": FAMILIES, "view": {"stroke": None}, "axis": axis, "legend": legend},
        **spec,
    }  # fmt: skip


# bars, lines and areas over time or groups


def _xy(layer: Json, look: Json, table: Table, canvas: Canvas) -> Json:
    kind = layer["seriesType"]
    points = _points(layer, table)
    series = _series(points)
    if "stacked" in kind:
        points = _stacked(points, series, share="percentage" in kind)
    x = table.column(layer["xAccessor"]) if layer.get("xAccessor") else None
    over_time = x is not None and x.seconds > 0
    groups = {point["x"] for point in points}
    letters = max(6, int(canvas.width / max(1, len(groups)) / 9))
    values = [_described(point, x, table.column(layer["accessors"][0]), canvas, letters) for point in points]
    mark = _bars(x, over_time) if kind.startswith("bar") else _line_or_area(kind, len(values))
    figure = table.column(layer["accessors"][0])
    titled = look.get("axisTitlesVisibilitySettings", {}).get("yLeft", True)
    value_axis = _value_axis("percentage" in kind, figure, figure.label if titled else None)
    encoding = {
        "x": _time_axis(points, x, canvas) if over_time else _group_axis(values),
        "y": {"field": "high", "type": "quantitative", "axis": value_axis, "stack": None,
              "scale": {"nice": 5}},
        "color": _colours(series, look, canvas),
        "description": {"field": "tip"},
    }
    if kind.startswith("bar") or "area" in kind:
        encoding["y2"] = {"field": "low"}
    if over_time and kind.startswith("bar"):
        encoding["x2"] = {"field": "x2"}
        values = _side_by_side(values, series) if "stacked" not in kind else values
    elif kind == "bar" and len(series) > 1:
        encoding["xOffset"] = {"field": "s", "sort": series}
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def _points(layer: Json, table: Table) -> list[Json]:
    """One point a row and figure: `x`, series `s`, value `v`."""
    split, x = layer.get("splitAccessor"), layer.get("xAccessor")
    many = len(layer["accessors"]) > 1
    points = []
    for row in table.rows:
        for name in layer["accessors"]:
            label = table.column(name).label
            of = [str(row[split])] if split else []
            series = " – ".join(of + ([label] if many or not split else []))
            points.append({"x": row[x] if x else "", "s": series, "v": row[name], "low": 0, "high": row[name]})
    return points


def _series(points: Sequence[Json]) -> list[str]:
    """The series in their order; all others as one come last."""
    found = list(dict.fromkeys(point["s"] for point in points))
    return [each for each in found if each != OTHER] + [each for each in found if each == OTHER]


def _stacked(points: list[Json], series: list[str], share: bool) -> list[Json]:
    """Each point on top of the series before it; as a share of all where that is wanted."""
    whole: dict[Any, float] = {}
    for point in points:
        whole[point["x"]] = whole.get(point["x"], 0) + (point["v"] or 0)
    floor: dict[Any, float] = {}
    stacked = []
    for point in sorted(points, key=lambda point: series.index(point["s"])):
        part = (point["v"] or 0) / ((whole[point["x"]] or 1) if share else 1)
        low = floor.get(point["x"], 0)
        floor[point["x"]] = low + part
        stacked.append(point | {"low": low, "high": low + part})
    return stacked


def _described(point: Json, x: Column | None, figure: Column, canvas: Canvas, letters: int) -> Json:
    """The point with its tooltip, and a place on the clock of the time zone where it is one in time."""
    where = shown(point["x"], x, canvas.zone) if x else ""
    tip = " · ".join(part for part in (where, point["s"], shown(point["v"], figure, canvas.zone)) if part)
    if not (x and x.seconds):
        return point | {"tip": tip, "x": _broken(where, letters)}
    start = wall_clock(point["x"], canvas.zone)
    return point | {"tip": tip, "x": start, "x2": start + x.seconds * 1000}


def _side_by_side(values: list[Json], series: list[str]) -> list[Json]:
    placed = []
    for each in values:
        part = (each["x2"] - each["x"]) / len(series)
        start = each["x"] + part * series.index(each["s"])
        placed.append(each | {"x": start, "x2": start + part})
    return placed


def _bars(x: Column | None, over_time: bool) -> Json:
    return {"type": "bar", "x2Offset": -1.5} if over_time else {"type": "bar", "width": {"band": 0.72}}


def _line_or_area(kind: str, points: int) -> Json:
    if "area" in kind:
        return {"type": "area", "opacity": 0.8, "line": {"strokeWidth": 1.5}}
    dots = {"size": 14, "filled": True} if points <= 600 else False
    return {"type": "line", "strokeWidth": 2, "point": dots, "invalid": "break-paths-show-domains"}


def _time_axis(points: Sequence[Json], x: Column | None, canvas: Canvas) -> Json:
    assert x
    moments = [point["x"] for point in points] or [0]
    seconds = (max(moments) - min(moments)) / 1000 + x.seconds
    form = "%H:%M:%S" if seconds <= 300 else "%H:%M" if seconds <= 172_800 else "%b %-d"
    return {
        "field": "x", "type": "temporal", "scale": {"type": "utc", "nice": False}, "title": None,
        "axis": {"format": form, "grid": False, "tickCount": max(3, canvas.width // 110), "labelFlush": False,
                 "labelOverlap": True, "domain": True},
    }  # fmt: skip


def _group_axis(points: list[Json]) -> Json:
    """Groups side by side, in the order of the points."""
    groups = list(dict.fromkeys(point["x"] for point in points))
    axis = {"labelAngle": 0, "labelExpr": "split(datum.label, '\\n')", "grid": False, "domain": True}
    return {"field": "x", "type": "nominal", "sort": groups, "title": None, "axis": axis}


def _broken(text: str, letters: int) -> str:
    """The text in lines of about so many letters, so that it fits below its bar."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > letters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _value_axis(share: bool, figure: Column, title: str | None) -> Json:
    form = "%" if share or figure.format.get("id") == "percent" else ",~r"
    suffix = json.dumps(figure.format.get("params", {}).get("suffix", ""))
    return {
        "title": title, "tickCount": 5,
        "labelExpr": f"datum.value >= 1e5 ? format(datum.value, '.3~s') + {suffix} : format(datum.value, '{form}') + {suffix}",
    }  # fmt: skip


def _colours(series: list[str], look: Json, canvas: Canvas) -> Json:
    colours = [
        OTHERS if name == OTHER else SERIES_COLOURS[place % len(SERIES_COLOURS)]
        for place, name in enumerate(series)
    ]
    hidden = not look.get("legend", {}).get("isVisible", True) or len(series) < 2
    legend = {"legend": None} if hidden else {}
    return {"field": "s", "type": "nominal", "scale": {"domain": series, "range": colours}, **legend}


# groups below each other


def _horizontal_bars(layer: Json, look: Json, table: Table, canvas: Canvas) -> Json:
    figure = table.column(layer["accessors"][0])
    points = _points(layer, table)
    series = _series(points)
    groups = list(dict.fromkeys(str(point["x"]) for point in points))
    values = [
        point | {"x": str(point["x"]), "tip": f"{point['x']} · {point['s']} · {_text(point, figure)}",
                 "text": _text(point, figure)}
        for point in _stacked(points, series, share="percentage" in layer.get("seriesType", ""))
    ]  # fmt: skip
    most = max((point["high"] for point in values), default=1) or 1
    longest = max((len(point["text"]) for point in values), default=1)
    bars = {
        "mark": {"type": "bar", "cornerRadiusEnd": 2, "height": {"band": 0.68}},
        "encoding": {
            "x": {"field": "high", "type": "quantitative", "axis": None, "stack": None,
                  "scale": {"domain": [0, most * (1 + longest * 9 / (canvas.width * 0.6))], "nice": False}},
            "x2": {"field": "low"},
            "color": _colours(series, look, canvas),
            "description": {"field": "tip"},
        },
    }  # fmt: skip
    labels = {
        "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12, "fill": TEXT},
        "encoding": {"x": {"field": "high", "type": "quantitative"}, "text": {"field": "text"}},
    }
    y = {"field": "x", "type": "nominal", "sort": groups, "title": None, "axis": {"labelColor": TEXT}}
    return {
        "data": {"values": values},
        "height": min(canvas.height, len(groups) * THICKEST_BAR + 8),
        "encoding": {"y": y},
        "layer": [bars, labels] if len(series) < 2 else [bars],
    }


def _text(point: Json, figure: Column) -> str:
    return number(point["v"], figure.format) if point["v"] is not None else ""


# shares and grids


def _pie(shape: str, layer: Json, table: Table, canvas: Canvas) -> Json:
    group, figure = table.column(layer["primaryGroups"][0]), table.column(layer["metrics"][0])
    whole = sum(row[figure.id] or 0 for row in table.rows) or 1
    values = []
    for row in table.rows:
        value, name = row[figure.id] or 0, shown(row[group.id], group, canvas.zone)
        label = f"{name}  {100 * value / whole:.1f}%"
        values.append({"s": label, "v": value, "tip": f"{label} · {number(value, figure.format)}"})
    names = [value["s"] for value in values]
    radius = min(canvas.width * (0.5 if canvas.narrow else 0.3), canvas.height * (0.4 if canvas.narrow else 0.45))
    colours = _colours(names, {"legend": {"isVisible": True}}, canvas)
    colours["scale"]["range"] = [
        OTHERS if str(row[group.id]) == OTHER else colour
        for row, colour in zip(table.rows, colours["scale"]["range"], strict=True)
    ]
    return {
        "data": {"values": values},
        "mark": {
            "type": "arc", "outerRadius": radius, "innerRadius": radius * 0.62 if shape == "donut" else 0,
            "stroke": SURFACE, "strokeWidth": 2,
        },
        "encoding": {
            "theta": {"field": "v", "type": "quantitative", "stack": True},
            "order": {"field": "v", "sort": "descending"},
            "color": colours,
            "description": {"field": "tip"},
        },
    }  # fmt: skip


def _heatmap(look: Json, panel: Panel, table: Table, canvas: Canvas) -> Json:
    x, y, figure = (table.column(look[f"{name}Accessor"]) for name in ("x", "y", "value"))
    values = []
    for row in table.rows:
        across, down = shown(row[x.id], x, canvas.zone), shown(row[y.id], y, canvas.zone)
        tip = f"{down} · {across} · {shown(row[figure.id], figure, canvas.zone)}"
        values.append({"x": across, "y": down, "v": row[figure.id], "tip": tip})
    steps = _steps([value["v"] or 0 for value in values])
    values = [value | {"step": next(name for limit, name in steps if (value["v"] or 0) <= limit)} for value in values]
    axes = {
        name: {"field": name, "type": "nominal", "sort": _order(panel, column, [v[name] for v in values]),
               "title": column.label if look.get("gridConfig", {}).get(f"is{name.upper()}AxisTitleVisible") else None,
               "axis": {"labelAngle": 0, "labelOverlap": True, "grid": False}}
        for name, column in (("x", x), ("y", y))
    }  # fmt: skip
    scale = {"domain": [name for _, name in steps], "range": HEAT_COLOURS[: len(steps)]}
    return {
        "data": {"values": values},
        "width": min(canvas.width, LARGEST_CELL[0] * len(table.values(x.id)) + 200),
        "height": min(canvas.height, LARGEST_CELL[1] * len(table.values(y.id)) + (180 if canvas.narrow else 60)),
        "mark": {"type": "rect", "stroke": SURFACE, "strokeWidth": 2, "cornerRadius": 3},
        "encoding": {
            **axes,
            "color": {"field": "step", "type": "ordinal", "legend": {"symbolType": "square"}, "scale": scale},
            "description": {"field": "tip"},
        },
    }  # fmt: skip


def _steps(values: list[float]) -> list[tuple[float, str]]:
    """Even steps of round numbers up to the largest value: (limit, name)."""
    most = max(values, default=0)
    rough = most / len(HEAT_COLOURS) or 1
    size = 10.0 ** math.floor(math.log10(rough))
    step = max(1, next(size * part for part in (1, 2, 2.5, 5, 10) if size * part >= rough))
    steps = [(limit * step, f"{(limit - 1) * step:,.0f} to {limit * step:,.0f}") for limit in range(1, 7)]
    return [each for place, each in enumerate(steps) if not place or steps[place - 1][0] < most]


def _order(panel: Panel, column: Column, values: list[str]) -> list[str]:
    found = list(dict.fromkeys(values))
    alphabetical = buckets(panel)[column.id]["params"].get("orderBy", {}).get("type") == "alphabetical"
    return sorted(found) if alphabetical or column.seconds else found
