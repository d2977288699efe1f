"""A panel's Lens state becomes the searches that Kibana would send, and their answers the rows that it would show."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard_answers import answers
from kafka_cluster.plain_text import plain
from kafka_cluster.script import UserError
from kuery import kuery
from panel_query import NotDrawn, Question, questions, search_body
from panel_rows import Table, table
from saved_objects import Dashboard, DataView, Grid, Panel
from time_window import Window, auto_interval, window

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")
WINDOW = Window(NOW - timedelta(minutes=15), NOW)
COUNT = {"operationType": "count", "sourceField": "___records___", "params": {}}
TIME = {
    "operationType": "date_histogram",
    "sourceField": "at",
    "params": {"interval": "auto", "includeEmptyRows": True},
}


def column(operation: str, field: str = "likes", bucket: bool = False, **more: Any) -> dict[str, Any]:
    made = {
        "label": operation,
        "operationType": operation,
        "sourceField": field,
        "isBucketed": bucket,
        "params": {},
    }
    return made | more


def terms(by: str | None = "n", **params: Any) -> dict[str, Any]:
    order = {"type": "column", "columnId": by} if by else {"type": "alphabetical"}
    base = {"size": 3, "orderBy": order, "orderDirection": "desc" if by else "asc"}
    return column("terms", "lang", bucket=True, params=base | params)


def lens(**columns: dict[str, Any]) -> Panel:
    filled = {name: {"isBucketed": False, "label": name} | each for name, each in columns.items()}
    layer = {"columns": filled, "columnOrder": list(columns)}
    state = {"datasourceStates": {"formBased": {"layers": {"l": layer}}}, "visualization": {}}
    return Panel("p", "", Grid(0, 0, 24, 10), "lnsXY", state, DataView("tweets", "at", {}))


def body(panel: Panel) -> dict[str, Any]:
    return search_body(questions(panel, WINDOW, SEOUL, ())[0])


def answer(total: int, **aggregations: Any) -> dict[str, Any]:
    return {"hits": {"total": {"value": total}, "hits": []}, "aggregations": aggregations}


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        (column("sum"), {"sum": {"field": "likes"}}),
        (column("average"), {"avg": {"field": "likes"}}),
        (column("min"), {"min": {"field": "likes"}}),
        (column("max"), {"max": {"field": "likes"}}),
        (column("count"), {"value_count": {"field": "likes"}}),
        (column("unique_count"), {"cardinality": {"field": "likes"}}),
        (column("median"), {"percentiles": {"field": "likes", "percents": [50]}}),
        (column("percentile", params={"percentile": 95}), {"percentiles": {"field": "likes", "percents": [95]}}),
        (
            column("last_value", params={"sortField": "at"}),
            {"top_hits": {"size": 1, "_source": False, "fields": ["likes"],
                          "sort": [{"at": {"order": "desc", "unmapped_type": "date"}}]}},
        ),
        (
            column("sum", filter={"query": "kind: quote", "language": "kuery"}),
            {"filter": {"match": {"kind": "quote"}}, "aggs": {"value": {"sum": {"field": "likes"}}}},
        ),
        (COUNT | {"filter": {"query": "kind: quote", "language": "kuery"}}, {"filter": {"match": {"kind": "quote"}}}),
    ],
)  # fmt: skip
def test_each_figure_is_the_aggregation_of_its_name(made: dict[str, Any], asked: dict[str, Any]) -> None:
    assert body(lens(n=made))["aggs"] == {"n": asked}


def test_a_plain_count_needs_no_aggregation_and_the_time_range_is_half_open() -> None:
    asked = body(lens(n=COUNT))
    assert asked["aggs"] == {} and asked["track_total_hits"] is True
    (span,) = asked["query"]["bool"]["filter"]
    assert (span["range"]["at"]["gte"], span["range"]["at"]["lt"]) == (
        "2026-11-23T11:45:00+00:00", "2026-11-23T12:00:00+00:00",
    )  # fmt: skip


def test_groups_are_nested_in_the_order_of_the_columns() -> None:
    asked = body(lens(s=terms(), t=TIME | {"isBucketed": True}, n=COUNT))["aggs"]
    assert asked["s"]["terms"] == {"field": "lang", "size": 3, "order": {"_count": "desc"}}
    histogram = asked["s"]["aggs"]["t"]["date_histogram"]
    assert histogram["fixed_interval"] == "30s" and histogram["time_zone"] == "Asia/Seoul"
    assert (
        histogram["min_doc_count"] == 0 and histogram["extended_bounds"]["max"] == NOW.timestamp() * 1000 - 1
    )


@pytest.mark.parametrize(
    ("by", "order"),
    [
        (column("sum"), {"order": "desc"}),
        (column("percentile", params={"percentile": 95}), {"order.95.0": "desc"}),
        (column("max", filter={"query": "a: 1", "language": "kuery"}), {"order>value": "desc"}),
    ],
)
def test_groups_are_ordered_by_a_figure_of_the_whole_group(by: dict[str, Any], order: dict[str, str]) -> None:
    asked = body(lens(s=terms(), t=TIME | {"isBucketed": True}, n=by))["aggs"]["s"]
    assert asked["terms"]["order"] == order and "order" in asked["aggs"]


def test_groups_by_range_and_by_filters_keep_their_names() -> None:
    ranges = [{"from": 0, "to": 100, "label": "few"}, {"from": 100, "to": None, "label": "many"}]
    panel = lens(r=column("range", bucket=True, params={"type": "range", "ranges": ranges}), n=COUNT)
    assert body(panel)["aggs"]["r"]["range"]["ranges"] == [{"from": 0, "to": 100}, {"from": 100}]
    buckets = [{"from": 0, "to": 100, "doc_count": 3}, {"from": 100, "doc_count": 2}]
    asked = questions(panel, WINDOW, SEOUL, ())
    assert table([(asked[0], answer(5, r={"buckets": buckets}))]).rows == [
        {"r": "few", "n": 3},
        {"r": "many", "n": 2},
    ]

    filters = [{"label": "big", "input": {"query": "likes > 9", "language": "kuery"}}]
    panel = lens(f=column("filters", bucket=True, params={"filters": filters}), n=COUNT)
    assert body(panel)["aggs"]["f"]["filters"] == {"filters": [{"range": {"likes": {"gt": "9"}}}]}


def test_all_others_are_asked_for_without_the_values_that_have_a_name() -> None:
    panel = lens(s=terms(otherBucket=True), n=column("average"))
    first = questions(panel, WINDOW, SEOUL, ())[0]
    others = replace(first, others=("en", "ko"))
    query = search_body(others)["query"]["bool"]
    assert (
        query["must_not"] == [{"terms": {"lang": ["en", "ko"]}}]
        and {"exists": {"field": "lang"}} in query["filter"]
    )
    named = answer(9, s={"buckets": [{"key": "en", "doc_count": 7, "n": {"value": 1.5}}]})
    rows = table([(first, named), (others, answer(2, n={"value": 4.0}))]).rows
    assert rows == [{"s": "en", "n": 1.5}, {"s": "Other", "n": 4.0}]


def test_the_period_before_is_a_search_of_its_own() -> None:
    panel = lens(n=COUNT, before=COUNT | {"timeShift": "previous"}, day=COUNT | {"timeShift": "1d"})
    asked = questions(panel, WINDOW, SEOUL, ())
    assert [each.window.end for each in asked] == [NOW, NOW - timedelta(minutes=15), NOW - timedelta(days=1)]
    found = table(list(zip(asked, [answer(5), answer(4), answer(3)], strict=True)))
    assert found.rows == [{"n": 5, "before": 4, "day": 3}]


def test_a_rate_is_per_minute_of_the_part_of_its_bucket_that_lies_in_the_time_range() -> None:
    panel = lens(t=TIME | {"isBucketed": True}, n=column("sum", timeScale="m"))
    starts = [NOW - timedelta(seconds=60), NOW - timedelta(seconds=15)]
    buckets = [{"key": start.timestamp() * 1000, "doc_count": 1, "n": {"value": 10.0}} for start in starts]
    asked = questions(panel, WINDOW, SEOUL, ())
    rows = table([(asked[0], answer(2, t={"buckets": buckets}))]).rows
    assert [row["n"] for row in rows] == [20.0, 40.0]


@pytest.mark.parametrize(
    "panel",
    [
        lens(s=terms(), n=COUNT | {"timeShift": "1d"}),
        lens(t=TIME | {"isBucketed": True}, s=terms(otherBucket=True), n=COUNT),
        lens(n=column("formula")),
        lens(h=column("range", bucket=True, params={"type": "histogram"}), n=COUNT),
    ],
)
def test_what_the_preview_does_not_know_is_refused_not_drawn_wrong(panel: Panel) -> None:
    with pytest.raises(NotDrawn):
        search_body(questions(panel, WINDOW, SEOUL, ())[0])


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("", {"match_all": {}}),
        ("lang: *", {"exists": {"field": "lang"}}),
        ('text: "a b"', {"match_phrase": {"text": "a b"}}),
        ("a: x*", {"wildcard": {"a": {"value": "x*"}}}),
        ("likes >= 3", {"range": {"likes": {"gte": "3"}}}),
        ("not a: 1", {"bool": {"must_not": [{"match": {"a": "1"}}]}}),
        (
            "a: 1 and (b: 2 or b: 3)",
            {"bool": {"filter": [{"match": {"a": "1"}},
                                 {"bool": {"should": [{"match": {"b": "2"}}, {"match": {"b": "3"}}],
                                           "minimum_should_match": 1}}]}},
        ),
        (
            "k: (x or y)",
            {"bool": {"should": [{"match": {"k": "x"}}, {"match": {"k": "y"}}], "minimum_should_match": 1}},
        ),
    ],
)  # fmt: skip
def test_kql_is_read(words: str, query: dict[str, Any]) -> None:
    assert kuery(words) == query


@pytest.mark.parametrize("words", ["a", "a:", "a: (b or", "(a: 1", "a: 1 b: 2", '"', "a: )"])
def test_what_is_no_kql_is_refused(words: str) -> None:
    with pytest.raises(UserError, match="can't read the query"):
        kuery(words)


@pytest.mark.parametrize(
    ("minutes", "width"),
    [(1, "1s"), (3, "5s"), (5, "5s"), (15, "30s"), (60, "1m"), (1440, "30m"), (10_080, "3h")],
)
def test_buckets_are_as_wide_as_kibana_makes_them(minutes: int, width: str) -> None:
    assert auto_interval(timedelta(minutes=minutes)) == width


def test_time_ranges_are_read_as_kibana_writes_them() -> None:
    day = window("now/d", "now", NOW, SEOUL)
    assert day.start == datetime(2026, 11, 22, 15, 0, tzinfo=UTC), "midnight in Seoul"
    assert window("now-1h", "now-30m", NOW, SEOUL).length == timedelta(minutes=30)
    assert window("2026-11-23T00:00:00Z", "now", NOW, SEOUL).length == timedelta(hours=12)
    for since in ("yesterday", "now-", "now+1d", "now-1x"):
        with pytest.raises(UserError):
            window(since, "now", NOW, SEOUL)


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        ("now/d", "now/d", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"),
        ("now-1d/d", "now-1d/d", "2026-10-24T00:00+02:00", "2026-10-25T00:00+02:00"),
        ("now-1M/M", "now-1M/M", "2026-09-01T00:00+02:00", "2026-10-01T00:00+02:00"),
        ("now-1y/y", "now-1y/y", "2025-01-01T00:00+01:00", "2026-01-01T00:00+01:00"),
        ("now-8M", "now/w", "2026-02-25T12:30+01:00", "2026-10-26T00:00+01:00"),
        ("now-1d", "now/h", "2026-10-24T12:30+02:00", "2026-10-25T13:00+01:00"),
        ("2026-10-25T00:00", "2026-10-25T04:00", "2026-10-25T00:00+02:00", "2026-10-25T04:00+01:00"),
    ],
)
def test_ranges_follow_the_calendar_of_the_time_zone(since: str, until: str, start: str, end: str) -> None:
    """On the day on which Berlin puts its clocks back."""
    found = window(since, until, datetime.fromisoformat("2026-10-25T12:30+01:00"), ZoneInfo("Europe/Berlin"))
    assert found.start == datetime.fromisoformat(start) and found.end == datetime.fromisoformat(end)
    assert found.length == datetime.fromisoformat(end) - datetime.fromisoformat(start)


def test_the_last_day_of_a_longer_month_is_one_month_later_the_last_of_a_shorter() -> None:
    end_of_march = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert window("now-1M", "now", end_of_march, ZoneInfo("UTC")).start == datetime(
        2026, 2, 28, 12, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "since", ["now-2026y", "now-999999w", "now-999999y", "0001-01-01", "0001-01-01T00:00:00Z"]
)
def test_a_time_that_no_calendar_has_is_one_clear_line(since: str) -> None:
    with pytest.raises(UserError, match=f"{since} is too far away: give a time of the years 1970 to 9998"):
        window(since, "now", NOW, SEOUL)
    with pytest.raises(UserError, match=r"now.999999y is too far away"):
        window("now", "now+999999y", NOW, SEOUL)


def test_the_period_before_the_first_one_is_one_clear_line() -> None:
    long = window("1970-01-02", "9998-12-31", NOW, SEOUL)
    with pytest.raises(UserError, match="before 1970-01-01 15:00 UTC: give a shorter time range"):
        long.before(long.length)


def test_text_is_one_line_without_control_characters_and_without_turns_of_direction() -> None:
    assert plain("a\x00b\x1b[31m\n c\u202ed\u2066e\u2028f") == "ab[31m cde f"
    assert plain("한글 日本 👨‍👩‍👧") == "한글 日本 👨‍👩‍👧"


@pytest.mark.parametrize("partly", [{"timed_out": True}, {"_shards": {"total": 2, "failed": 1}}])
def test_a_part_of_an_answer_is_not_drawn_as_the_whole(partly: dict[str, Any]) -> None:
    dashboard = Dashboard("d", "D", "now-15m", "now", (lens(n=COUNT),), (), ())
    (refused,) = answers(dashboard, WINDOW, NOW, SEOUL, lambda asked: [answer(3) | partly for _ in asked])
    assert isinstance(refused, NotDrawn) and "all shards" in str(refused)


def test_a_search_that_elasticsearch_refuses_is_said_in_its_panel_and_the_others_are_drawn() -> None:
    good, bad = lens(n=COUNT), lens(n=column("sum"))
    dashboard = Dashboard("d", "D", "now-15m", "now", (bad, good), (), ())
    replies = {"{}": answer(3), "sum": {"error": {"root_cause": [{"reason": "no such field"}]}}}

    def search(asked: Sequence[Question]) -> list[dict[str, Any]]:
        return [replies["sum" if search_body(each)["aggs"] else "{}"] for each in asked]

    refused, drawn = answers(dashboard, WINDOW, NOW, SEOUL, search)
    assert isinstance(refused, NotDrawn) and "no such field" in str(refused)
    assert isinstance(drawn, Table) and drawn.rows == [{"n": 3}]
