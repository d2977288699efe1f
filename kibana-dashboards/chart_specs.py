"""Tables -> charts in Vega-Lite, in the shapes of Lens. Pure: sizes in pixels, colours by name (`var(--text)`)."""

import math

from chart_parts import OTHERS, SURFACE, Canvas, Json, colours, framed, in_order, short_names
from panel_query import NotDrawn, buckets
from panel_rows import OTHER, Column, Table
from panel_text import number, shown
from preview_theme import HEAT_COLOURS
from saved_objects import Panel
from xy_charts import horizontal_bars, xy

LARGEST_CELL = (96, 56)
SHARE = 50
"""How wide a share in percent is in the legend of a pie."""


def chart_spec(panel: Panel, table: Table, canvas: Canvas) -> Json:
    """The chart of a panel. Raises NotDrawn for shapes that the preview does not know."""
    look = panel.content["visualization"]
    if panel.shape == "lnsXY":
        layer = look["layers"][0]
        spec = horizontal_bars if "horizontal" in layer["seriesType"] else xy
        return framed(spec(layer, look, table, canvas), canvas)
    if panel.shape == "lnsPie" and look["shape"] in ("pie", "donut"):
        return framed(_pie(look["shape"], look["layers"][0], table, canvas), canvas)
    if panel.shape == "lnsHeatmap":
        return framed(_heatmap(look, panel, table, canvas), canvas)
    if panel.shape == "lnsChoropleth":
        layer = {"xAccessor": look["regionAccessor"], "accessors": [look["valueAccessor"]]}
        return framed(horizontal_bars(layer, look, table, canvas), canvas)
    raise NotDrawn(f"{panel.shape} {look.get('shape', '')}".strip())


def _pie(shape: str, layer: Json, table: Table, canvas: Canvas) -> Json:
    group, figure = table.column(layer["primaryGroups"][0]), table.column(layer["metrics"][0])
    whole = sum(row[figure.id] or 0 for row in table.rows) or 1
    groups = [shown(row[group.id], group, canvas.zone) for row in table.rows]
    short = short_names(groups, lambda name: canvas.in_legend(name, beside=SHARE))
    values = []
    for row, name in zip(table.rows, groups, strict=True):
        value = row[figure.id] or 0
        share = f"{100 * value / whole:.1f}%"
        tip = f"{name}  {share} · {number(value, figure.format)}"
        values.append({"s": f"{short[name]}  {share}", "v": value, "tip": tip})
    names = [str(value["s"]) for value in values]
    radius = min(
        canvas.width * (0.5 if canvas.narrow else 0.3), canvas.height * (0.4 if canvas.narrow else 0.45)
    )
    painted = colours(names, {})
    painted["scale"]["range"] = [
        OTHERS if str(row[group.id]) == OTHER else colour
        for row, colour in zip(table.rows, painted["scale"]["range"], strict=True)
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
            "color": painted,
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
    order = {}
    for name, column in (("x", x), ("y", y)):
        names = short_names(_order(panel, column, [value[name] for value in values]), canvas.on_axis)
        values = [value | {name: names[value[name]]} for value in values]
        order[name] = in_order(list(names.values()))
    steps = _steps([value["v"] or 0 for value in values])
    values = [
        value | {"step": next(name for limit, name in steps if (value["v"] or 0) <= limit)}
        for value in values
    ]
    axes = {
        name: {"field": name, "type": "nominal", **order[name],
               "title": column.label if look.get("gridConfig", {}).get(f"is{name.upper()}AxisTitleVisible") else None,
               "axis": {"labelAngle": 0, "labelOverlap": True, "grid": False}}
        for name, column in (("x", x), ("y", y))
    }  # fmt: skip
    scale = {"domain": [name for _, name in steps], "range": HEAT_COLOURS[: len(steps)]}
    beside, below = (canvas.width, 180) if canvas.narrow else (200, 60)  # room for legend and axes
    return {
        "data": {"values": values},
        "width": min(canvas.width, LARGEST_CELL[0] * len(table.values(x.id)) + beside),
        "height": min(canvas.height, LARGEST_CELL[1] * len(table.values(y.id)) + below),
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
