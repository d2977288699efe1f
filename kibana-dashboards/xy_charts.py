"""Bars, lines and areas (lnsXY) in Vega-Lite. Pure: sizes in pixels, colours by name (`var(--text)`)."""

import json
from collections.abc import Sequence
from typing import Any

from chart_parts import TEXT, Canvas, Json, colours, in_order, short_names
from panel_rows import OTHER, Column, Table
from panel_text import clock_offset, number, shown

THICKEST_BAR = 34


def xy(layer: Json, look: Json, table: Table, canvas: Canvas) -> Json:
    """A layer over time or over groups side by side."""
    kind = layer["seriesType"]
    points = _points(layer, table)
    series = _series(points)
    if "stacked" in kind:
        points = _stacked(points, series, share="percentage" in kind)
    x = table.column(layer["xAccessor"]) if layer.get("xAccessor") else None
    over_time = x is not None and x.seconds > 0
    # one for all: where clocks are put back, two buckets would stand in one place
    ahead = clock_offset(min(point["x"] for point in points), canvas.zone) if over_time and points else 0.0
    values = [_described(point, x, table.column(layer["accessors"][0]), canvas, ahead) for point in points]
    if not over_time:
        values = _grouped(values, canvas)
    mark = _bars(over_time) if kind.startswith("bar") else _line_or_area(kind, len(values))
    figure = table.column(layer["accessors"][0])
    alone = len(layer["accessors"]) == 1
    titled = alone and look.get("axisTitlesVisibilitySettings", {}).get("yLeft", True)
    most = max((point["high"] or 0 for point in points), default=0)
    value_axis = _value_axis("percentage" in kind, figure, figure.label if titled else None, most)
    if over_time and kind.startswith("bar") and "stacked" not in kind:
        values = _side_by_side(values, series)
    values, series = _in_legend(values, series, canvas)
    encoding = {
        "x": _time_axis(points, x, canvas) if x and over_time else _group_axis(values),
        "y": {
            "field": "high",
            "type": "quantitative",
            "axis": value_axis,
            "stack": None,
            "scale": {"nice": 5},
        },
        "color": colours(series, look),
        "description": {"field": "tip"},
    }
    if kind.startswith("bar") or "area" in kind:
        encoding["y2"] = {"field": "low"}
    if over_time and kind.startswith("bar"):
        encoding["x2"] = {"field": "x2"}
    elif kind == "bar" and len(series) > 1:
        encoding["xOffset"] = {"field": "s", **in_order(series)}
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
            points.append(
                {"x": row[x] if x else "", "s": series, "v": row[name], "low": 0, "high": row[name]}
            )
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


def _described(point: Json, x: Column | None, figure: Column, canvas: Canvas, ahead: float) -> Json:
    """The point with its tooltip, and where it is one in time, `ahead` of UTC."""
    where = shown(point["x"], x, canvas.zone) if x else ""
    tip = " · ".join(part for part in (where, point["s"], shown(point["v"], figure, canvas.zone)) if part)
    if not (x and x.seconds):
        return point | {"tip": tip, "x": where}
    start = point["x"] + ahead
    return point | {"tip": tip, "x": start, "x2": start + x.seconds * 1000}


def _grouped(values: list[Json], canvas: Canvas) -> list[Json]:
    """The values with names of their groups that fit below them."""
    groups = {each["x"] for each in values}
    letters = max(6, int(canvas.width / max(1, len(groups)) / 9))
    names = short_names((each["x"] for each in values), lambda name: _broken(name, letters, canvas))
    return [each | {"x": names[each["x"]]} for each in values]


def _in_legend(values: list[Json], series: list[str], canvas: Canvas) -> tuple[list[Json], list[str]]:
    """The values and their series with names that fit into a legend."""
    names = short_names(series, canvas.in_legend)
    return [each | {"s": names[each["s"]]} for each in values], list(names.values())


def _side_by_side(values: list[Json], series: list[str]) -> list[Json]:
    placed = []
    for each in values:
        part = (each["x2"] - each["x"]) / len(series)
        start = each["x"] + part * series.index(each["s"])
        placed.append(each | {"x": start, "x2": start + part})
    return placed


def _bars(over_time: bool) -> Json:
    return {"type": "bar", "x2Offset": -1.5} if over_time else {"type": "bar", "width": {"band": 0.72}}


def _line_or_area(kind: str, points: int) -> Json:
    if "area" in kind:
        return {"type": "area", "opacity": 0.8, "line": {"strokeWidth": 1.5}}
    dots = {"size": 14, "filled": True} if points <= 600 else False
    return {
        "type": "line",
        "strokeWidth": 2,
        "strokeJoin": "round",
        "point": dots,
        "invalid": "break-paths-show-domains",
    }


def _time_axis(points: Sequence[Json], x: Column, canvas: Canvas) -> Json:
    moments = [point["x"] for point in points] or [0]
    seconds = (max(moments) - min(moments)) / 1000 + x.seconds
    ticks = max(3, canvas.width // 110)
    # below 42 s from tick to tick Vega takes 30 s, above it a minute
    form = "%H:%M:%S" if seconds / ticks < 42 else "%H:%M" if seconds <= 172_800 else "%b %-d"
    return {
        "field": "x", "type": "temporal", "scale": {"type": "utc", "nice": False}, "title": None,
        "axis": {"format": form, "grid": False, "tickCount": ticks, "labelFlush": False,
                 "labelOverlap": True, "domain": True},
    }  # fmt: skip


def _group_axis(points: list[Json]) -> Json:
    """Groups side by side, in the order of the points."""
    groups = list(dict.fromkeys(point["x"] for point in points))
    axis = {"labelAngle": 0, "labelExpr": "split(datum.label, '\\n')", "grid": False, "domain": True}
    return {"field": "x", "type": "nominal", **in_order(groups), "title": None, "axis": axis}


def _broken(text: str, letters: int, canvas: Canvas) -> str:
    """The text in lines of about so many letters, so that it fits below its bar."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > letters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(map(canvas.on_axis, lines))


def _value_axis(share: bool, figure: Column, title: str | None, most: float) -> Json:
    """Numbers in full, as long as they are short."""
    form = "%" if share or figure.format.get("id") == "percent" else ",~r" if most < 100_000 else ".3~s"
    suffix = json.dumps(figure.format.get("params", {}).get("suffix", ""))
    return {"title": title, "tickCount": 5, "labelExpr": f"format(datum.value, '{form}') + {suffix}"}


def horizontal_bars(layer: Json, look: Json, table: Table, canvas: Canvas) -> Json:
    """A layer of groups below each other, with their figures where there is one series."""
    figure = table.column(layer["accessors"][0])
    points = _points(layer, table)
    series = _series(points)
    groups = short_names((str(point["x"]) for point in points), canvas.on_axis)
    values = [
        point | {"x": groups[str(point["x"])], "tip": f"{point['x']} · {point['s']} · {_text(point, figure)}",
                 "text": _text(point, figure)}
        for point in _stacked(points, series, share="percentage" in layer.get("seriesType", ""))
    ]  # fmt: skip
    values, series = _in_legend(values, series, canvas)
    most = max((point["high"] for point in values), default=1) or 1
    longest = max((len(point["text"]) for point in values), default=1)
    bars = {
        "mark": {"type": "bar", "cornerRadiusEnd": 2, "height": {"band": 0.68}},
        "encoding": {
            "x": {"field": "high", "type": "quantitative", "axis": None, "stack": None,
                  "scale": {"domain": [0, most * (1 + longest * 9 / (canvas.width * 0.6))], "nice": False}},
            "x2": {"field": "low"},
            "color": colours(series, look),
            "description": {"field": "tip"},
        },
    }  # fmt: skip
    labels = {
        "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12, "fill": TEXT},
        "encoding": {"x": {"field": "high", "type": "quantitative"}, "text": {"field": "text"}},
    }
    order = in_order(list(groups.values()))
    y = {"field": "x", "type": "nominal", **order, "title": None, "axis": {"labelColor": TEXT}}
    return {
        "data": {"values": values},
        "height": min(canvas.height, len(groups) * THICKEST_BAR + 8),
        "encoding": {"y": y},
        "layer": [bars, labels] if len(series) < 2 else [bars],
    }


def _text(point: Json, figure: Column) -> str:
    return number(point["v"], figure.format) if point["v"] is not None else ""
