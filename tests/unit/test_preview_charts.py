"""Charts, clouds and figures: every name is drawn, in its order and its place, and dates and numbers are Kibana's."""

import json
import re
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest
import vl_convert

import panel_text
from chart_parts import Canvas, short_names
from chart_specs import chart_spec
from drawn_panels import BOLD, STATES, UTC, chart, drawn, panel, texts_of
from panel_drawing import Chart, Note, draw
from panel_query import NotDrawn
from panel_rows import Column, Table
from panel_text import Cells, number, shown, span_text, tile
from preview_fonts import Fonts
from preview_page import DrawnDashboard
from preview_picture import picture_svg
from saved_objects import Grid, Panel
from tag_cloud import tag_cloud
from time_window import Window


@pytest.mark.parametrize("name", [name for name in STATES if name != "lnsDatatable"])
def test_every_chart_draws_names_that_mean_something_to_a_library(name: str) -> None:
    names = ["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__", "zebra", "apple"]
    found = [text for text in texts_of(chart(name, names)) if text.partition("  ")[0] in names]
    assert {text.partition("  ")[0] for text in found} == set(names)


@pytest.mark.parametrize("name", ["lnsXY", "line", "bars", "lnsChoropleth", "lnsHeatmap"])
def test_groups_stand_in_the_order_of_the_answer(name: str) -> None:
    names = ["zebra", "apple", "mango", "berry"]
    found = [text for text in texts_of(chart(name, names)) if text in names]
    assert found[:4] == names


def test_a_line_goes_from_group_to_group() -> None:
    columns = (Column("a", "A", "string"), Column("b", "B", "string"), Column("n", "N", "number"))
    figures = {"x": {"zebra": 1, "apple": 2, "mango": 3}, "y": {"mango": 1, "berry": 3, "zebra": 2}}
    rows = [{"a": a, "b": b, "n": n} for b, its in figures.items() for a, n in its.items()]
    drawing = draw(panel("line", 0), Table(columns, rows, 9), UTC, Fonts([json.dumps(rows)]), "p")
    assert isinstance(drawing, Chart)
    lines = [
        path
        for path in re.findall(r' d="([^"]+)"', drawing.wide)
        if re.fullmatch(r"M[^ML]+L[^ML]+L[^ML]+", path)
    ]
    across = [[float(x) for x in re.findall(r"[ML](-?[\d.]+)", path)] for path in lines]
    assert len(across) == 2 and all(len(each) == 3 and each == sorted(each) for each in across)


def test_a_chart_that_the_library_refuses_is_said_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(spec: str) -> str:
        raise ValueError("Operator not defined: undefined\n  at l")

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", refuse)
    drawings = drawn(["x", "y"])[0].drawings
    assert Note("Not drawn by the preview: Vega-Lite refuses this chart") in drawings
    assert any(isinstance(each, Cells) for each in drawings)


@pytest.mark.parametrize("name", [name for name in STATES if name not in ("lnsDatatable", "lnsTagcloud")])
def test_names_that_are_cut_stay_whole_characters_and_groups_of_their_own(name: str) -> None:
    drawing = chart(name, ["x", BOLD + "2", BOLD + "3"])
    cut = [text for text in texts_of(drawing) if text.startswith("𝗕𝗿𝗲𝗮")]
    assert cut and all("…" in text for text in cut)
    assert len({text for text in cut if "(2)" in text}) * 2 == len(set(cut)), (
        "the second of two that look alike"
    )
    tips = "".join(re.findall("<title>.*?</title>", drawing))
    assert name == "area" or (f"{BOLD}2" in tips and f"{BOLD}3" in tips), "whole in the tooltip"


def test_a_name_is_cut_to_its_room_and_only_then() -> None:
    fonts = Fonts(["abc 한글"])
    canvas = Canvas(400, 300, UTC, fonts)
    long = "한글 abc " * 9
    names = short_names(["abc", long + "1", long + "2", "abc"], canvas.in_legend)
    assert list(names) == ["abc", long + "1", long + "2"] and names["abc"] == "abc"
    assert names[long + "1"].endswith("…") and names[long + "2"] == names[long + "1"] + " (2)"
    assert fonts.width(names[long + "1"], 12) <= 150


def test_words_of_a_cloud_do_not_meet_and_stay_inside() -> None:
    words = [(f"word{place}" * (1 + place % 3), 1000 / (place + 1)) for place in range(40)]
    placed = tag_cloud(words, 600, 320, (12, 64), lambda text, size: len(text) * size * 0.55)
    assert len(placed) == 40 and placed[0].size == max(word.size for word in placed)
    assert not [pair for pair in combinations(placed, 2) if pair[0].meets(pair[1])]
    for word in placed:
        assert word.width / 2 <= word.x <= 600 - word.width / 2 and 0 < word.y < 320


def test_one_long_tag_takes_nothing_from_the_others() -> None:
    words = [f"word{place}" for place in range(22)]
    drawing = chart("lnsTagcloud", [*words, "long" * 40])
    found = texts_of(drawing)
    assert found[0].startswith("longlong") and found[0].endswith("…") and sorted(found[1:]) == sorted(words)
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', drawing)) > 12
    assert f"<title>{'long' * 40} · 27</title>" in drawing, "whole in the tooltip"


def test_a_word_without_room_is_left_out_and_the_next_one_is_placed() -> None:
    words = [("first", 9.0), ("w" * 300, 5.0), ("last", 1.0)]
    placed = tag_cloud(words, 300, 200, (12, 40), lambda text, size: len(text) * size * 0.55)
    assert [(word.text, word.rank) for word in placed] == [("first", 0), ("last", 2)]


def test_the_page_has_tags_that_only_a_browser_can_draw_and_the_picture_none_that_lacks_letters() -> None:
    tags = ["हिन्दी", "বাংলা", "தமிழ்", "中国对", "한글", "🥐"]
    dashboard, fonts = drawn(tags)
    place = list(STATES).index("lnsTagcloud")
    drawing = dashboard.drawings[place]
    assert isinstance(drawing, Chart) and set(texts_of(drawing.wide)) == set(tags)
    assert fonts.width("中对🥐", 10) == 30, "what no font has is taken to be square"
    cloud = replace(dashboard.dashboard, panels=dashboard.dashboard.panels[place : place + 1])
    alone = picture_svg(DrawnDashboard(cloud, [drawing], ""), "", fonts)
    assert set(texts_of(alone)) & {*tags, "中国"} == {"한글"}


class WindowsDatetime(datetime):
    """Its strftime refuses what that of Windows refuses."""

    def strftime(self, format: str) -> str:
        if "%-" in format:
            raise ValueError("Invalid format string")
        return super().strftime(format)


def test_dates_are_written_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel_text, "datetime", WindowsDatetime)
    assert shown(0, Column("t", "T", "date"), UTC) == "Jan 1, 1970 @ 00:00:00"
    start, end = (WindowsDatetime(2026, 11, day, 9, 5, tzinfo=UTC) for day in (2, 13))
    assert span_text(Window(start, end), UTC) == "Nov 2, 2026 @ 09:05:00 → Nov 13, 2026 @ 09:05:00 UTC"
    assert span_text(Window(start, start), UTC) == "Nov 2, 2026 @ 09:05:00 → 09:05:00 UTC"


def test_numbers_are_written_as_kibana_writes_them() -> None:
    assert number(17960, {}) == "17,960" and number(1.5, {}) == "1.5" and number(2 / 3, {}) == "0.667"
    assert number(0.3021, {"id": "percent", "params": {"decimals": 1}}) == "30.2%"
    assert number(71.4, {"id": "number", "params": {"decimals": 0, "suffix": " ms"}}) == "71 ms"


@pytest.mark.parametrize(
    ("value", "before", "form", "change"),
    [
        (120, 100, {}, ("▲ 20.0%", "up")),
        (80, 100, {}, ("▼ 20.0%", "down")),
        (100, 100, {}, ("± 0.0%", "")),
        (0.3, 0.25, {"id": "percent"}, ("▲ 5.0 points", "up")),
        (5, 0, {}, ("", "")),
        (None, 4, {}, ("", "")),
    ],
)
def test_a_figure_tells_its_change_against_the_period_before(value, before, form, change) -> None:
    columns = (Column("n", "N", "number", form), Column("b", "B", "number", form))
    look = {"visualization": {"metricAccessor": "n", "secondaryMetricAccessor": "b"}}
    panel = Panel("p", "", Grid(0, 0, 8, 6), "lnsMetric", look)
    made = tile(panel, Table(columns, [{"n": value, "b": before}], 1), UTC)
    assert (made.change, made.way) == change


def test_buckets_keep_their_order_where_clocks_are_put_back() -> None:
    columns = (Column("t", "T", "date", seconds=1800), Column("b", "B", "string"), Column("n", "N", "number"))
    begin = datetime(2026, 10, 25, 0, tzinfo=ZoneInfo("UTC")).timestamp() * 1000
    rows = [{"t": begin + half * 1_800_000, "b": "x", "n": 1} for half in range(5)]
    canvas = Canvas(600, 300, ZoneInfo("Europe/Berlin"), Fonts([]))
    spec = chart_spec(panel("area", 0), Table(columns, rows, 4), canvas)
    places = [each["x"] for each in spec["data"]["values"]]
    assert places == [begin + 7_200_000 + half * 1_800_000 for half in range(5)]


def test_a_stack_of_shares_fills_the_whole_and_an_unknown_shape_is_refused() -> None:
    columns = (Column("t", "T", "date", seconds=60), Column("b", "B", "string"), Column("n", "N", "number"))
    rows = [{"t": 0, "b": "x", "n": 3}, {"t": 0, "b": "y", "n": 1}, {"t": 60_000, "b": "x", "n": None}]
    spec = chart_spec(panel("area", 0), Table(columns, rows, 4), Canvas(600, 300, UTC, Fonts([])))
    values = spec["data"]["values"]
    assert [(each["low"], each["high"]) for each in values if each["x"] == 0] == [(0, 0.75), (0.75, 1.0)]
    assert json.dumps(spec)
    waffle = Panel("p", "", Grid(0, 0, 8, 6), "lnsPie", {"visualization": {"shape": "waffle"}})
    with pytest.raises(NotDrawn, match="waffle"):
        chart_spec(waffle, Table(columns, rows, 4), Canvas(600, 300, UTC, Fonts([])))
