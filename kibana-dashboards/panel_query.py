"""A panel's Lens state -> the searches that answer it. What can't be asked raises NotDrawn, with the reason."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kuery import kuery
from saved_objects import Panel
from time_window import Window, auto_interval, duration

Json = dict[str, Any]

CALENDAR = {"1m", "1h", "1d", "1w", "1M", "1q", "1y"}
MISSING = "__missing__"
ORDER = "order"
MOST_DOCUMENTS = 50


class NotDrawn(Exception):
    """A shape that the preview does not know; Kibana draws it."""


@dataclass(frozen=True)
class Question:
    """A panel with the time range that it is asked for. `shift`: how long before the dashboard's."""

    panel: Panel
    window: Window
    zone: ZoneInfo
    filters: tuple[Json, ...] = ()
    shift: timedelta = timedelta()
    others: tuple[str, ...] | None = None
    """Set: ask for all but these values of the first column, as one."""


def questions(panel: Panel, window: Window, zone: ZoneInfo, filters: tuple[Json, ...]) -> list[Question]:
    """The panel's searches: one, and one more for each time shift of its columns."""
    first = Question(panel, window, zone, filters)
    if panel.shape == "search":
        return [first]
    shifts = {shift_of(column, window) for column in columns(panel).values()}
    if shifts != {timedelta()} and buckets(panel):
        raise NotDrawn("a time shift together with groups")
    return [
        replace(first, window=window.before(shift), shift=shift) for shift in sorted(shifts | {timedelta()})
    ]


def columns(panel: Panel) -> dict[str, Json]:
    """The columns of the panel's one layer by id, groups first."""
    layers = list(panel.content["datasourceStates"].get("formBased", {}).get("layers", {}).values())
    if len(layers) != 1:
        raise NotDrawn(f"{len(layers)} layers")
    return {name: layers[0]["columns"][name] for name in layers[0]["columnOrder"]}


def buckets(panel: Panel) -> dict[str, Json]:
    """The columns that group."""
    return {name: column for name, column in columns(panel).items() if column["isBucketed"]}


def metrics(panel: Panel) -> dict[str, Json]:
    """The columns that count."""
    return {name: column for name, column in columns(panel).items() if not column["isBucketed"]}


def shift_of(column: Json, window: Window) -> timedelta:
    """How much earlier a column looks."""
    return duration(column["timeShift"], window.length) if column.get("timeShift") else timedelta()


def interval_of(column: Json, window: Window) -> str:
    """The width of a date column's buckets, such as 30s."""
    chosen = column["params"]["interval"]
    return auto_interval(window.length) if chosen == "auto" else chosen


def search_body(question: Question) -> Json:
    """The body of the search for `_msearch`."""
    query = {"bool": {"filter": _narrowed(question), "must_not": _excluded(question)}}
    panel = question.panel
    if panel.shape == "search":
        return _documents(panel) | {"query": query}
    return {"size": 0, "track_total_hits": True, "query": query, "aggs": _aggregations(question)}


# which documents


def _narrowed(question: Question) -> list[Json]:
    span = {
        "gte": question.window.start.isoformat(), "lt": question.window.end.isoformat(),
        "format": "strict_date_optional_time",
    }  # fmt: skip
    narrowing = [{"range": {question.panel.view.time_field: span}}]
    given = (*question.filters, *question.panel.filters)
    narrowing += [found for each in given if (found := _filter(each))]
    if question.others is not None:
        narrowing.append({"exists": {"field": _first(question.panel)[1]["sourceField"]}})
    return narrowing


def _excluded(question: Question) -> list[Json]:
    if question.others is None:
        return []
    return [{"terms": {_first(question.panel)[1]["sourceField"]: list(question.others)}}]


def _filter(given: Json) -> Json | None:
    """A query `{query, language}`, or a filter of the filter bar."""
    if "language" in given:
        if given["language"] != "kuery":
            raise NotDrawn(f"a query in {given['language']}")
        return kuery(given["query"]) if given["query"].strip() else None
    if given.get("meta", {}).get("disabled"):
        return None
    if given.get("meta", {}).get("negate"):
        return {"bool": {"must_not": [given["query"]]}}
    return given["query"]


def _documents(panel: Panel) -> Json:
    wanted = [panel.view.time_field, *panel.content["columns"]]
    order = [{field: {"order": way, "unmapped_type": "date"}} for field, way in panel.content["sort"]]
    return {"size": MOST_DOCUMENTS, "_source": False, "fields": list(dict.fromkeys(wanted)), "sort": order}


# groups and figures


def _aggregations(question: Question) -> Json:
    panel = question.panel
    inner = {
        name: body
        for name, column in metrics(panel).items()
        if shift_of(column, question.window) == question.shift and (body := _metric(column))
    }
    groups = list(buckets(panel).items())
    _refuse_inner_others(groups)
    if question.others is not None:
        groups = groups[1:]
    for name, column in reversed(groups):
        inside = inner | _order_figure(column, metrics(panel))
        inner = {name: _bucket(column, question) | ({"aggs": inside} if inside else {})}
    return inner


def _refuse_inner_others(groups: list[tuple[str, Json]]) -> None:
    if any(column["params"].get("otherBucket") for _, column in groups[1:]):
        raise NotDrawn("others as one group, inside another group")


def _bucket(column: Json, question: Question) -> Json:
    kind, params, field = column["operationType"], column["params"], column.get("sourceField")
    if kind == "date_histogram":
        return {"date_histogram": _date_histogram(column, question)}
    if kind == "terms":
        return {"terms": {"field": field, **_terms(params, question.panel)}}
    if kind == "range" and params["type"] == "range":
        return {"range": {"field": field, "ranges": [_range(each) for each in params["ranges"]]}}
    if kind == "filters":
        return {
            "filters": {
                "filters": [_filter(each["input"]) or {"match_all": {}} for each in params["filters"]]
            }
        }
    raise NotDrawn(f"groups by {kind} {params.get('type', '')}".rstrip())


def _date_histogram(column: Json, question: Question) -> Json:
    interval = interval_of(column, question.window)
    width = "calendar_interval" if interval in CALENDAR else "fixed_interval"
    body: Json = {"field": column["sourceField"], width: interval, "time_zone": str(question.zone)}
    if not column["params"].get("includeEmptyRows"):
        return body | {"min_doc_count": 1}
    last = question.window.end - timedelta(milliseconds=1)
    bounds = {"min": _milliseconds(question.window.start), "max": _milliseconds(last)}
    return body | {"min_doc_count": 0, "extended_bounds": bounds}


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)


def _terms(params: Json, panel: Panel) -> Json:
    order, way = params["orderBy"], params["orderDirection"]
    key = "_key" if order["type"] == "alphabetical" else _order_path(metrics(panel)[order["columnId"]])
    body: Json = {"size": params["size"], "order": {key: way}}
    if params.get("accuracyMode"):
        body["shard_size"] = max(1000, params["size"])
    if params.get("missingBucket"):
        body["missing"] = MISSING
    for side in ("include", "exclude"):
        if params.get(side):
            body[side] = params[side][0] if params.get(f"{side}IsRegex") else params[side]
    return body


def _order_path(column: Json) -> str:
    """The figure by which groups are ordered."""
    kind = column["operationType"]
    if _is_plain_count(column):
        return "_count"
    inner = ">value" if column.get("filter") and kind != "count" else ""
    percent = {"median": ".50.0", "percentile": f".{float(column['params'].get('percentile', 0))}"}.get(
        kind, ""
    )
    return f"{ORDER}{inner}{percent}"


def _order_figure(column: Json, figures: Json) -> Json:
    """The figure that orders the groups, once more for the whole group: the column's own may stand deeper."""
    order = column["params"].get("orderBy", {})
    body = _metric(figures[order["columnId"]]) if order.get("type") == "column" else None
    return {ORDER: body} if body else {}


def _range(given: Json) -> Json:
    return {side: given[side] for side in ("from", "to") if given.get(side) is not None}


def _is_plain_count(column: Json) -> bool:
    records = column.get("sourceField") == "___records___"
    return column["operationType"] == "count" and records and not column.get("filter")


def _metric(column: Json) -> Json | None:
    """The aggregation of a figure; none for a plain count, which each bucket has."""
    if _is_plain_count(column):
        return None
    body = _figure(column)
    if not column.get("filter"):
        return body
    where = {"filter": _filter(column["filter"]) or {"match_all": {}}}
    return where | ({"aggs": {"value": body}} if body else {})


def _figure(column: Json) -> Json | None:
    kind, field, params = column["operationType"], column.get("sourceField"), column.get("params", {})
    if kind == "count":
        return None if field == "___records___" else {"value_count": {"field": field}}
    if kind in ("sum", "min", "max"):
        return {kind: {"field": field}}
    if kind == "average":
        return {"avg": {"field": field}}
    if kind == "unique_count":
        return {"cardinality": {"field": field}}
    if kind in ("median", "percentile"):
        return {"percentiles": {"field": field, "percents": [params.get("percentile", 50)]}}
    if kind == "last_value":
        order = {params["sortField"]: {"order": "desc", "unmapped_type": "date"}}
        return {"top_hits": {"size": 1, "_source": False, "fields": [field], "sort": [order]}}
    raise NotDrawn(f"the figure {kind}")


def _first(panel: Panel) -> tuple[str, Json]:
    return next(iter(buckets(panel).items()))


def wants_others(panel: Panel) -> bool:
    """True where the first column shows its top values and all others as one."""
    return bool(panel.shape != "search" and buckets(panel) and _first(panel)[1]["params"].get("otherBucket"))
