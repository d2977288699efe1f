"""Kibana would take tweets.ndjson, and each panel finds the fields that it asks for.

Kibana refuses a file as a whole or leaves a panel empty without a word: so each rule that it goes by is checked here.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build_dashboards import FILE, dashboard_objects
from dashboard_objects import as_ndjson, dashboard
from kafka_cluster.pipeline_events import INDEX_FILE as EVENTS_INDEX
from kafka_cluster.script import ROOT
from lens_panels import markdown

Json = dict[str, Any]

OBJECTS: list[Json] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
DASHBOARDS = [each for each in OBJECTS if each["type"] == "dashboard"]
TWEET_INDEX = ROOT / "kafka-consumer" / "tweet-index.json"
NEWEST_VERSIONS = {"index-pattern": (8, 0, 0), "dashboard": (10, 3, 0), "search": (10, 5, 0)}
NUMBERS, COUNTABLE = {"long", "byte", "double"}, {"keyword", "boolean", "long", "byte", "double", "date"}
FITS = {
    "terms": {"keyword", "boolean", "long", "byte"}, "date_histogram": {"date"}, "range": NUMBERS,
    "unique_count": COUNTABLE, "average": NUMBERS, "sum": NUMBERS, "max": NUMBERS, "percentile": NUMBERS,
    "last_value": {"keyword", "text"},
}  # fmt: skip
BUCKETS = {"terms", "date_histogram", "range"}
ACCESSORS = re.compile(r"(accessor|Accessor|accessors|primaryGroups|metrics|columnId)$")


def fields(path: Path) -> dict[str, str]:
    """Field -> type in Elasticsearch."""

    def walk(properties: Json, prefix: str) -> Iterator[tuple[str, str]]:
        for name, spec in properties.items():
            if "properties" in spec:
                yield from walk(spec["properties"], f"{prefix}{name}.")
            else:
                yield prefix + name, spec["type"]

    return dict(walk(json.loads(path.read_text(encoding="utf-8"))["mappings"]["properties"], ""))


FIELDS = {"tweets": fields(TWEET_INDEX), "pipeline-events": fields(EVENTS_INDEX)}


def panels(board: Json) -> list[Json]:
    return json.loads(board["attributes"]["panelsJSON"])


LENS = [
    pytest.param(board, panel, id=f"{board['id']}/{panel['panelIndex']}")
    for board in DASHBOARDS
    for panel in panels(board)
    if panel["type"] == "lens"
]


def layer_of(panel: Json) -> tuple[str, Json]:
    layers = panel["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    assert len(layers) == 1
    return next(iter(layers.items()))


def view_of(panel: Json) -> str:
    return panel["embeddableConfig"]["attributes"]["references"][0]["id"]


def asked_fields(query: str) -> list[str]:
    return re.findall(r"([\w.@]+) *:", query)


# the file


def test_the_file_in_git_is_what_the_descriptions_give() -> None:
    assert FILE.read_text(encoding="utf-8") == as_ndjson(dashboard_objects()), (
        "run  python3 kibana-dashboards/build_dashboards.py"
    )


def test_the_time_zone_stands_in_the_title_and_nowhere_else() -> None:
    seoul = as_ndjson(dashboard_objects("Asia/Seoul"))
    assert seoul.count("Asia/Seoul") == 2, "in the panel, and in its Lens state"
    assert seoul.replace("Asia/Seoul", "UTC") == as_ndjson(dashboard_objects())


def test_ids_are_unique_and_versions_are_those_that_kibana_8_19_takes() -> None:
    assert max(Counter((each["type"], each["id"]) for each in OBJECTS).values()) == 1
    for each in OBJECTS:
        assert each["coreMigrationVersion"] == "8.8.0"
        version = tuple(int(part) for part in each["typeMigrationVersion"].split("."))
        assert version <= NEWEST_VERSIONS[each["type"]]
        assert not each.keys() & {"version", "updated_at", "namespaces", "migrationVersion"}


def test_no_runtime_fields_they_need_painless() -> None:
    assert all(each["attributes"].get("runtimeFieldMap", "{}") == "{}" for each in OBJECTS)


def test_data_views_have_a_date_to_go_by() -> None:
    for each in OBJECTS:
        if each["type"] == "index-pattern":
            assert FIELDS[each["id"]][each["attributes"]["timeFieldName"]] == "date"
            assert json.loads(each["attributes"]["fieldFormatMap"]).keys() <= FIELDS[each["id"]].keys()


# references


@pytest.mark.parametrize("each", OBJECTS, ids=lambda each: each["id"])
def test_what_is_referred_to_is_in_the_file(each: Json) -> None:
    known = {(other["type"], other["id"]) for other in OBJECTS}
    assert {(reference["type"], reference["id"]) for reference in each["references"]} <= known


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board["id"])
def test_a_dashboards_references_are_those_that_its_panels_and_controls_name(board: Json) -> None:
    wanted = {}
    for panel in panels(board):
        assert ":" not in panel["panelIndex"]
        if panel["type"] == "lens":
            layer, _ = layer_of(panel)
            (inner,) = panel["embeddableConfig"]["attributes"]["references"]
            assert inner["name"] == f"indexpattern-datasource-layer-{layer}"
            wanted[f"{panel['panelIndex']}:{inner['name']}"] = inner["id"]
        elif panel["type"] == "search":
            wanted[f"{panel['panelIndex']}:{panel['panelRefName']}"] = None
    for id_, control in controls(board).items():
        wanted[f"controlGroup_{id_}:optionsListDataView"] = control["explicitInput"]["dataViewId"]
    given = {reference["name"]: reference["id"] for reference in board["references"]}
    assert given.keys() == wanted.keys() and len(given) == len(board["references"])
    assert all(wanted[name] in (None, id_) for name, id_ in given.items())


def controls(board: Json) -> Json:
    return json.loads(board["attributes"].get("controlGroupInput", {}).get("panelsJSON", "{}"))


def test_the_tweets_can_be_narrowed_by_language_hashtag_and_kind() -> None:
    chosen = [control["explicitInput"] for control in controls(DASHBOARDS[0]).values()]
    assert [each["fieldName"] for each in chosen] == ["lang", "hashtags", "kind"]
    assert all(FIELDS[each["dataViewId"]][each["fieldName"]] == "keyword" for each in chosen)


@pytest.mark.parametrize(
    "search", [each for each in OBJECTS if each["type"] == "search"], ids=lambda s: s["id"]
)
def test_saved_searches_show_fields_that_are_there(search: Json) -> None:
    (reference,) = search["references"]
    known, attributes = FIELDS[reference["id"]], search["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["indexRefName"] == reference["name"]
    assert {*attributes["columns"], *asked_fields(source["query"]["query"])} <= known.keys()
    assert known[attributes["sort"][0][0]] == "date"


# the grid


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board["id"])
def test_panels_cover_48_columns_without_hole_or_overlap(board: Json) -> None:
    cells: Counter[tuple[int, int]] = Counter()
    for panel in panels(board):
        grid = panel["gridData"]
        assert grid["i"] == panel["panelIndex"]
        cells.update(
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        )
    height = max(y for _, y in cells) + 1
    assert cells == Counter({(x, y): 1 for x in range(48) for y in range(height)})


def test_a_row_that_is_not_48_wide_is_refused() -> None:
    with pytest.raises(ValueError, match="47 wide"):
        dashboard("x", "X", "", [(4, [(47, markdown("words", "?"))])])


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board["id"])
def test_every_panel_has_an_id_and_a_title_of_its_own(board: Json) -> None:
    shown = [panel for panel in panels(board) if not panel["embeddableConfig"].get("hidePanelTitles")]
    titles = [panel["title"] for panel in shown]
    assert all(titles) and len(set(titles)) == len(titles)
    assert len({panel["panelIndex"] for panel in panels(board)}) == len(panels(board))


# what a panel asks for


@pytest.mark.parametrize(("board", "panel"), LENS)
def test_columns_ask_for_fields_that_are_mapped_and_fit(board: Json, panel: Json) -> None:
    known = FIELDS[view_of(panel)]
    for column in layer_of(panel)[1]["columns"].values():
        operation, field = column["operationType"], column["sourceField"]
        if field != "___records___":
            assert known[field] in FITS[operation], f"{operation} of {field}"
        else:
            assert operation == "count"
        if operation == "last_value":
            assert known[column["params"]["sortField"]] == "date"
            assert column["params"]["showArrayValues"] or known[field] != "text"
        assert set(asked_fields(column.get("filter", {}).get("query", ""))) <= known.keys()
        assert column["label"] and column["scale"] in ("ordinal", "interval", "ratio")
    query = panel["embeddableConfig"]["attributes"]["state"]["query"]["query"]
    assert set(asked_fields(query)) <= known.keys()


@pytest.mark.parametrize(("board", "panel"), LENS)
def test_column_order_names_all_columns_groups_first(board: Json, panel: Json) -> None:
    _, layer = layer_of(panel)
    columns, order = layer["columns"], layer["columnOrder"]
    assert sorted(order) == sorted(columns)
    bucketed = [columns[name]["isBucketed"] for name in order]
    assert bucketed == sorted(bucketed, reverse=True)
    for column in columns.values():
        assert column["isBucketed"] == (column["operationType"] in BUCKETS)
        by = column["params"].get("orderBy", {})
        assert by.get("type") != "column" or not columns[by["columnId"]]["isBucketed"]


@pytest.mark.parametrize(("board", "panel"), LENS)
def test_every_column_is_shown_and_every_shown_column_is_there(board: Json, panel: Json) -> None:
    layer, body = layer_of(panel)
    shown = panel["embeddableConfig"]["attributes"]["state"]["visualization"]
    assert set(accessors(shown)) == set(body["columns"])
    assert {part["layerId"] for part in shown.get("layers", [shown])} == {layer}


def accessors(shown: Any, key: str = "") -> Iterator[str]:
    """The columns that a visualization names."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            yield from accessors(value, name)
    elif isinstance(shown, list):
        for value in shown:
            yield from accessors(value, key)
    elif ACCESSORS.search(key):
        yield shown
