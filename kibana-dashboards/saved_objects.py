"""Kibana's saved objects (.ndjson) -> dashboards with their panels, everything unpacked."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka_cluster.script import UserError

Json = dict[str, Any]
Objects = dict[tuple[str, str], Json]
References = dict[str, tuple[str, str]]

SEARCH_SOURCE = "kibanaSavedObjectMeta"


@dataclass(frozen=True)
class DataView:
    """Indices to search, the field of their time, and field -> how its values are shown (Kibana's formats)."""

    indices: str
    time_field: str
    formats: Json


NO_VIEW = DataView("", "", {})


@dataclass(frozen=True)
class Grid:
    """A panel's place: 48 columns; a row is 20 pixels."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Panel:
    """One panel. `shape`: markdown, search or Lens's visualizationType; `content`: its text, search or state."""

    id: str
    title: str
    grid: Grid
    shape: str
    content: Json
    view: DataView = NO_VIEW
    filters: tuple[Json, ...] = ()
    """Queries `{query, language}` and filters `{meta, query}` of the panel's own."""
    time_range: tuple[str, str] | None = None


@dataclass(frozen=True)
class Dashboard:
    """Panels from top to bottom, the time range as Kibana writes it, and what narrows all of them."""

    id: str
    title: str
    since: str
    until: str
    panels: tuple[Panel, ...]
    filters: tuple[Json, ...]
    controls: tuple[tuple[str, str], ...]
    """Title and choice of each control."""


def read_dashboards(lines: Iterable[str]) -> list[Dashboard]:
    """All dashboards of a file, in its order. Raises UserError where it is no file of saved objects."""
    try:
        objects = [json.loads(line) for line in lines if line.strip()]
        by_id = {(each["type"], each["id"]): each for each in objects if "type" in each}
        return [_dashboard(each, by_id) for (kind, _), each in by_id.items() if kind == "dashboard"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"no saved objects of Kibana 8: {type(error).__name__} {error}") from None


def _dashboard(saved: Json, by_id: Objects) -> Dashboard:
    attributes = saved["attributes"]
    references = {each["name"]: (each["type"], each["id"]) for each in saved["references"]}
    panels = [_panel(panel, references, by_id) for panel in json.loads(attributes["panelsJSON"])]
    panels.sort(key=lambda panel: (panel.grid.y, panel.grid.x))
    controls = json.loads(attributes.get("controlGroupInput", {}).get("panelsJSON", "{}"))
    inputs = [each["explicitInput"] for each in sorted(controls.values(), key=lambda each: each["order"])]
    chosen = tuple(_chosen(each) for each in inputs if each.get("selectedOptions"))
    return Dashboard(
        saved["id"], attributes["title"], attributes.get("timeFrom", "now-15m"),
        attributes.get("timeTo", "now"), tuple(panels), _filters(attributes) + chosen,
        tuple((each.get("title", ""), ", ".join(each.get("selectedOptions", [])) or "Any") for each in inputs),
    )  # fmt: skip


def _panel(panel: Json, references: References, by_id: Objects) -> Panel:
    config, place = panel["embeddableConfig"], panel["gridData"]
    title = "" if config.get("hidePanelTitles") else panel.get("title", "")
    common = (panel["panelIndex"], title, Grid(place["x"], place["y"], place["w"], place["h"]))
    span = config.get("timeRange")
    time_range = (span["from"], span["to"]) if span else None
    if panel["type"] == "visualization":
        return Panel(*common, "markdown", config["savedVis"]["params"])
    if panel["type"] == "search":
        saved = by_id[references[f"{panel['panelIndex']}:{panel['panelRefName']}"]]
        view = _view({each["name"]: (each["type"], each["id"]) for each in saved["references"]}, by_id)
        content = saved["attributes"]
        return Panel(*common, "search", content, view, _filters(content), time_range)
    attributes = config["attributes"]
    state = attributes["state"]
    mine = {name: to for name, to in references.items() if name.startswith(f"{panel['panelIndex']}:")}
    filters = (state["query"], *state["filters"])
    return Panel(*common, attributes["visualizationType"], state, _view(mine, by_id), filters, time_range)


def _view(references: References, by_id: Objects) -> DataView:
    found = next(by_id[reference] for reference in references.values() if reference[0] == "index-pattern")
    attributes = found["attributes"]
    formats = json.loads(attributes.get("fieldFormatMap") or "{}")
    return DataView(attributes["title"], attributes["timeFieldName"], formats)


def _filters(attributes: Json) -> tuple[Json, ...]:
    source = json.loads(attributes.get(SEARCH_SOURCE, {}).get("searchSourceJSON", "{}"))
    return (*([source["query"]] if source.get("query") else []), *source.get("filter", []))


def _chosen(control: Json) -> Json:
    return {"meta": {}, "query": {"terms": {control["fieldName"]: control["selectedOptions"]}}}
