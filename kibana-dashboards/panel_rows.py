"""Answers of Elasticsearch -> a table: columns with labels and formats, rows of values by column id."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kafka_cluster.plain_text import plain
from panel_query import MISSING, Question, buckets, columns, interval_of, metrics, shift_of
from time_window import bucket_seconds

Json = dict[str, Any]
Row = dict[str, Any]

OTHER = "Other"
MINUTE = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Column:
    """A column of a table. `kind`: date, number or string; `format`: Kibana's, `{id, params}`."""

    id: str
    label: str
    kind: str
    format: Json = field(default_factory=dict)
    seconds: float = 0
    """Of dates: the width of a bucket."""


@dataclass(frozen=True)
class Table:
    """What a panel shows. A value is text, a number, a date in milliseconds, or None."""

    columns: tuple[Column, ...]
    rows: list[Row]
    total: int = 0
    """How many documents it was made from."""

    def column(self, id_: str) -> Column:
        return next(column for column in self.columns if column.id == id_)

    def values(self, id_: str) -> list[Any]:
        """The different values of a column, in the order of the rows."""
        return list(dict.fromkeys(row[id_] for row in self.rows))


def table(asked: list[tuple[Question, Json]]) -> Table:
    """The answers to a panel's questions as one table; the first is the panel's own, unshifted."""
    question, answer = asked[0]
    total = answer["hits"]["total"]["value"] if "total" in answer["hits"] else len(answer["hits"]["hits"])
    if question.panel.shape == "search":
        return _documents(question, answer, total)
    rows = list(_rows(question, answer, total))
    for other, its_answer in asked[1:]:
        its_total = its_answer["hits"]["total"]["value"]
        more = list(_rows(other, its_answer, its_total))
        if other.others is not None:
            rows += more if its_total else []
        else:
            rows[0] = {**rows[0], **{name: value for name, value in more[0].items() if value is not None}}
    return Table(tuple(_columns(question)), rows, total)


def top_values(question: Question, answer: Json) -> tuple[str, ...]:
    """The values that the first column shows by name."""
    first = next(iter(buckets(question.panel)))
    found = answer.get("aggregations", {}).get(first, {}).get("buckets", [])
    return tuple(str(bucket.get("key_as_string", bucket["key"])) for bucket in found)


def _columns(question: Question) -> Iterator[Column]:
    formats = question.panel.view.formats
    for id_, column in columns(question.panel).items():
        shown = column.get("params", {}).get("format") or formats.get(column.get("sourceField", ""), {})
        is_date = column["operationType"] == "date_histogram"
        width = bucket_seconds(interval_of(column, question.window)) if is_date else 0
        yield Column(id_, plain(column["label"]), column.get("dataType", "string"), shown, width)


def _rows(question: Question, answer: Json, total: int) -> Iterator[Row]:
    groups = list(buckets(question.panel).items())
    root = {"doc_count": total, **answer.get("aggregations", {})}
    if question.others is None:
        yield from _below(question, groups, root, {})
    else:
        yield from _below(question, groups[1:], root, {groups[0][0]: OTHER})


def _below(question: Question, groups: list[tuple[str, Json]], bucket: Json, row: Row) -> Iterator[Row]:
    if not groups:
        yield row | _figures(question, bucket, row)
        return
    (name, column), *inner = groups
    for place, each in enumerate(bucket.get(name, {}).get("buckets", [])):
        yield from _below(question, inner, each, row | {name: _key(column, each, place)})


def _key(column: Json, bucket: Json, place: int) -> Any:
    kind, params = column["operationType"], column["params"]
    if kind == "date_histogram":
        return bucket["key"]
    if kind == "filters":
        given = params["filters"][place]
        return plain(given["label"] or given["input"]["query"])
    if kind == "range":
        return _range_label(params["ranges"], bucket)
    key = bucket.get("key_as_string", bucket["key"])
    return "(missing value)" if key == MISSING else plain(key)


def _range_label(ranges: list[Json], bucket: Json) -> str:
    given = next(r for r in ranges if (r.get("from"), r.get("to")) == (bucket.get("from"), bucket.get("to")))
    return plain(given.get("label") or f"{given.get('from') or '-∞'} to {given.get('to') or '∞'}")


def _figures(question: Question, bucket: Json, row: Row) -> Row:
    return {
        name: _scaled(_figure(name, column, bucket), column, question, row)
        if shift_of(column, question.window) == question.shift
        else None
        for name, column in metrics(question.panel).items()
    }


def _figure(name: str, column: Json, bucket: Json) -> Any:
    found = bucket.get(name, {"doc_count": bucket["doc_count"]})
    documents = found.get("doc_count", bucket["doc_count"])
    found = found.get("value", found) if isinstance(found.get("value"), dict) else found
    value = _value(column, found, documents)
    empty = not documents or value == 0
    return None if empty and column.get("params", {}).get("emptyAsNull") else value


def _value(column: Json, found: Json, documents: int) -> Any:
    kind = column["operationType"]
    if kind == "last_value":
        hits = found["hits"]["hits"]
        values = hits[0].get("fields", {}).get(column["sourceField"], []) if hits else []
        return ", ".join(plain(value) for value in values) or None
    if kind in ("median", "percentile"):
        return next(iter(found["values"].values()))
    return found.get("value", documents)


def _scaled(value: Any, column: Json, question: Question, row: Row) -> Any:
    """A figure per minute (or second, hour, day): of what part of its bucket lies in the time range."""
    dates = [
        name for name, each in buckets(question.panel).items() if each["operationType"] == "date_histogram"
    ]
    if value is None or "timeScale" not in column or not dates:
        return value
    width = bucket_seconds(interval_of(buckets(question.panel)[dates[0]], question.window))
    start = row[dates[0]] / 1000
    end = min(start + width, question.window.end.timestamp())
    inside = max(1.0, end - max(start, question.window.start.timestamp()))
    return value * MINUTE[column["timeScale"]] / inside


def _documents(question: Question, answer: Json, total: int) -> Table:
    time_field, formats = question.panel.view.time_field, question.panel.view.formats
    names = list(dict.fromkeys([time_field, *question.panel.content["columns"]]))
    shown = tuple(
        Column(name, plain(name), "date" if name == time_field else "string", formats.get(name, {}))
        for name in names
    )
    rows = [
        {name: ", ".join(plain(value) for value in hit.get("fields", {}).get(name, [])) for name in names}
        for hit in answer["hits"]["hits"]
    ]
    return Table(shown, rows, total)
