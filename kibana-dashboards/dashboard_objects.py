"""Kibana's saved objects, as 8.19 imports them: data view, saved search, dashboard."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lens_panels import NO_QUERY, Panel

Json = dict[str, Any]
Row = tuple[int, list[tuple[int, Panel]]]
"""Height, and panels with their widths from left to right: 48 in sum."""

GRID_WIDTH = 48
# What 8.19 exports. An object without versions would be migrated as if it were ten years old.
CORE_VERSION = "8.8.0"
TYPE_VERSIONS = {"index-pattern": "8.0.0", "search": "10.2.0", "dashboard": "10.2.0"}
SEARCH_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"


def data_view(id_: str, name: str, indices: str, time_field: str, formats: Json | None = None) -> Json:
    """A data view: `indices` may be a pattern, and need not be there yet."""
    attributes = {
        "title": indices, "name": name, "timeFieldName": time_field, "allowNoIndex": True, "fields": "[]",
        "fieldAttrs": "{}", "fieldFormatMap": _packed(formats or {}), "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
    }  # fmt: skip
    return _saved_object("index-pattern", id_, attributes, [])


def saved_search(id_: str, title: str, view: str, columns: Sequence[str], sort: str, query: str = "") -> Json:
    """Documents with some of their fields, newest first by the date `sort`."""
    source = {"query": {"query": query, "language": "kuery"}, "filter": [], "indexRefName": SEARCH_SOURCE}
    attributes = {
        "title": title, "description": "", "columns": list(columns), "sort": [[sort, "desc"]], "grid": {},
        "hideChart": True, "isTextBasedQuery": False, "timeRestore": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _packed(source)},
    }  # fmt: skip
    reference = {"type": "index-pattern", "id": view, "name": SEARCH_SOURCE}
    return _saved_object("search", id_, attributes, [reference])


def control(field: str, title: str) -> Json:
    """A list of a field's values to choose from."""
    return {"fieldName": field, "title": title}


def dashboard(
    id_: str, title: str, description: str, rows: Sequence[Row], controls: Sequence[Json] = (),
    controls_view: str = "", since: str = "now-15m", refresh_seconds: int = 10,
) -> Json:  # fmt: skip
    """Rows of panels, one below the other; they cover the whole width, so there are no holes."""
    panels, references = _placed(rows)
    attributes = {
        "title": title, "description": description,
        "timeRestore": True, "timeFrom": since, "timeTo": "now",
        "refreshInterval": {"pause": False, "value": refresh_seconds * 1000},
        "kibanaSavedObjectMeta": {"searchSourceJSON": _packed({"query": NO_QUERY, "filter": []})},
        "optionsJSON": _packed({
            "useMargins": True, "syncColors": True, "syncCursor": True, "syncTooltips": False,
            "hidePanelTitles": False,
        }),
        "panelsJSON": _packed(panels),
    }  # fmt: skip
    if controls:
        attributes["controlGroupInput"], chosen = _control_group(controls, controls_view)
        references += chosen
    return _saved_object("dashboard", id_, attributes, references)


def as_ndjson(objects: Iterable[Json]) -> str:
    """One object a line, always the same bytes for the same objects."""
    return "".join(_packed(each) + "\n" for each in objects)


def _placed(rows: Sequence[Row]) -> tuple[list[Json], list[Json]]:
    """Panels with their places, and the dashboard's references to what they need."""
    panels, references, y = [], [], 0
    for height, row in rows:
        x = 0
        for width, panel in row:
            grid = {"x": x, "y": y, "w": width, "h": height, "i": panel.id}
            panels.append({
                "type": panel.type, "panelIndex": panel.id, "gridData": grid, "title": panel.title,
                "embeddableConfig": panel.config, **panel.more,
            })  # fmt: skip
            references += [each | {"name": f"{panel.id}:{each['name']}"} for each in panel.references]
            x += width
        if x != GRID_WIDTH:
            raise ValueError(f"a row of {[panel.id for _, panel in row]} is {x} wide, not {GRID_WIDTH}")
        y += height
    return panels, references


def _control_group(controls: Sequence[Json], view: str) -> tuple[Json, list[Json]]:
    panels, references = {}, []
    for order, chosen in enumerate(controls):
        id_ = f"choose-{chosen['fieldName']}"
        panels[id_] = {
            "type": "optionsListControl", "order": order, "width": "medium", "grow": True,
            "explicitInput": {
                "id": id_, "dataViewId": view, **chosen, "searchTechnique": "prefix", "selectedOptions": [],
                "enhancements": {}, "sort": {"by": "_count", "direction": "desc"},
            },
        }  # fmt: skip
        references.append(
            {"type": "index-pattern", "id": view, "name": f"controlGroup_{id_}:optionsListDataView"}
        )
    ignored = {
        "ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False,
    }  # fmt: skip
    group = {
        "chainingSystem": "HIERARCHICAL", "controlStyle": "oneLine", "showApplySelections": False,
        "ignoreParentSettingsJSON": _packed(ignored), "panelsJSON": _packed(panels),
    }  # fmt: skip
    return group, references


def _saved_object(kind: str, id_: str, attributes: Json, references: list[Json]) -> Json:
    return {
        "type": kind, "id": id_, "attributes": attributes, "references": references,
        "coreMigrationVersion": CORE_VERSION, "typeMigrationVersion": TYPE_VERSIONS[kind],
    }  # fmt: skip


def _packed(value: Any) -> str:
    """Kibana keeps much of its JSON as text within JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
