"""Panels of a dashboard, with what they show inside them (by value, as Kibana says)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Columns = dict[str, Json]

LAYER = "data"
LAYER_REFERENCE = f"indexpattern-datasource-layer-{LAYER}"
NO_QUERY: Json = {"query": "", "language": "kuery"}
OF_LAYER: Json = {"layerId": LAYER, "layerType": "data"}


@dataclass(frozen=True)
class Panel:
    """One panel; the dashboard gives it its place. `references`: what it needs, by the names that it uses."""

    id: str
    type: str
    config: Json
    title: str = ""
    references: list[Json] = field(default_factory=list)
    more: Json = field(default_factory=dict)


def metric(
    id_: str, title: str, view: str, columns: Columns, before: str | None = None, **options: Any
) -> Panel:
    """The first column as one large figure; `before`: a second one below it, after these words."""
    main, *second = columns
    shown = {"metricAccessor": main, **options}
    if before:
        shown |= {"secondaryMetricAccessor": second[0], "secondaryPrefix": before}
    return _lens(id_, title, view, columns, "lnsMetric", OF_LAYER | shown)


def chart(
    id_: str, title: str, view: str, columns: Columns, series: str, x: str, y: Sequence[str],
    split: str | None = None, query: str = "",
) -> Panel:  # fmt: skip
    """Bars, lines or areas: `series` is Lens's series type, the others name columns."""
    layer = OF_LAYER | {"seriesType": series, "xAccessor": x, "accessors": list(y)}
    if split:
        layer["splitAccessor"] = split
    alone = split is None and len(y) == 1
    shown = {
        "preferredSeriesType": series,
        "legend": {"isVisible": not alone, "position": "right", "showSingleSeries": not alone},
        "valueLabels": "show" if series == "bar_horizontal" else "hide",
        "fittingFunction": "None",
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": not alone, "yRight": False},
        "layers": [layer],
    }
    return _lens(id_, title, view, columns, "lnsXY", shown, query)


def table(id_: str, title: str, view: str, columns: Columns, sort: str, rows: int = 10) -> Panel:
    """A table of all columns in their order; figures to the right."""
    shown = [
        {"columnId": name, "alignment": "right" if column["dataType"] == "number" else "left"}
        for name, column in columns.items()
    ]
    body = {
        "columns": shown,
        "sorting": {"columnId": sort, "direction": "desc"},
        "paging": {"size": rows, "enabled": True},
        "rowHeight": "auto",
    }
    return _lens(id_, title, view, columns, "lnsDatatable", OF_LAYER | body)


def tag_cloud(id_: str, title: str, view: str, columns: Columns, tag: str, value: str) -> Panel:
    """Words, the larger the more often."""
    body = {
        "tagAccessor": tag, "valueAccessor": value, "minFontSize": 14, "maxFontSize": 64,
        "orientation": "single", "showLabel": False,
    }  # fmt: skip
    return _lens(id_, title, view, columns, "lnsTagcloud", OF_LAYER | body)


def donut(id_: str, title: str, view: str, columns: Columns, group: str, value: str) -> Panel:
    """Shares of a whole."""
    layer = OF_LAYER | {
        "primaryGroups": [group], "metrics": [value], "numberDisplay": "percent",
        "categoryDisplay": "default", "legendDisplay": "show", "nestedLegend": False,
    }  # fmt: skip
    return _lens(id_, title, view, columns, "lnsPie", {"shape": "donut", "layers": [layer]})


def heatmap(
    id_: str, title: str, view: str, columns: Columns, x: str, y: str, value: str,
    time_range: tuple[str, str] | None = None,
) -> Panel:  # fmt: skip
    """Two groups across each other; `time_range`: (from, to), its own instead of the dashboard's."""
    body = {
        "shape": "heatmap", "xAccessor": x, "yAccessor": y, "valueAccessor": value,
        "gridConfig": {
            "type": "heatmap_grid", "isCellLabelVisible": False, "isYAxisLabelVisible": True,
            "isXAxisLabelVisible": True, "isYAxisTitleVisible": False, "isXAxisTitleVisible": True,
        },
        "legend": {"type": "heatmap_legend", "isVisible": True, "position": "right"},
    }  # fmt: skip
    panel = _lens(id_, title, view, columns, "lnsHeatmap", OF_LAYER | body)
    if time_range:
        panel.config["timeRange"] = dict(zip(("from", "to"), time_range, strict=True))
    return panel


def markdown(id_: str, text: str) -> Panel:
    """Words, without a title of their own."""
    saved = {
        "title": "", "description": "", "type": "markdown", "uiState": {},
        "params": {"fontSize": 12, "openLinksInNewTab": True, "markdown": text},
        "data": {"aggs": [], "searchSource": {"query": NO_QUERY, "filter": []}},
    }  # fmt: skip
    config = {"enhancements": {}, "hidePanelTitles": True, "savedVis": saved}
    return Panel(id_, "visualization", config)


def documents(id_: str, title: str, search: str) -> Panel:
    """The documents of a saved search, newest first."""
    name = f"panel_{id_}"
    reference = {"type": "search", "id": search, "name": name}
    return Panel(id_, "search", {"enhancements": {}}, title, [reference], {"panelRefName": name})


def _lens(
    id_: str, title: str, view: str, columns: Columns, kind: str, shown: Json, query: str = ""
) -> Panel:
    # Kibana wants groups before figures, whatever the order in which they are shown.
    order = sorted(columns, key=lambda name: not columns[name]["isBucketed"])
    layer = {"columns": columns, "columnOrder": order, "incompleteColumns": {}, "sampling": 1}
    references = [{"type": "index-pattern", "id": view, "name": LAYER_REFERENCE}]
    attributes = {
        "title": title, "description": "", "type": "lens", "visualizationType": kind, "references": references,
        "state": {
            "query": {"query": query, "language": "kuery"}, "filters": [], "internalReferences": [],
            "adHocDataViews": {}, "datasourceStates": {"formBased": {"layers": {LAYER: layer}}},
            "visualization": shown,
        },
    }  # fmt: skip
    return Panel(id_, "lens", {"enhancements": {}, "attributes": attributes}, title, references)
