"""The page and the picture: whatever a tweet says stays text, and Korean and Japanese are really drawn."""

import io
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
import vl_convert
from PIL import Image

import panel_text
from chart_parts import Canvas, short_names
from chart_specs import chart_spec
from kafka_cluster.plain_text import plain
from kafka_cluster.script import UserError
from panel_drawing import Chart, Note, draw, words_of
from panel_query import NotDrawn
from panel_rows import Column, Table
from panel_text import Cells, number, safe_link, shown, span_text, tile
from preview import write
from preview_fonts import FAMILIES, Fonts
from preview_page import DrawnDashboard, page
from preview_picture import Pen, picture_svg
from preview_theme import DARK, LIGHT, painted
from safe_svg import SVG, safe_svg
from saved_objects import Dashboard, DataView, Grid, Panel
from tag_cloud import tag_cloud
from time_window import Window

UTC = ZoneInfo("UTC")
BOLD = "𝗕𝗿𝗲𝗮𝗸𝗶𝗻𝗴𝗡𝗲𝘄𝘀𝗧𝗼𝗱𝗮𝘆𝗞𝗼𝗿𝗲𝗮𝗡𝗲𝘄𝘀" * 2
"""Letters of two halves each in UTF-16: whoever cuts by halves leaves one."""
HOSTILE = [
    "<script>document.title='taken'</script>",
    "\"><img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "]]><![CDATA[&lt;b&gt;&#x3c;b&#x3e;",
    "javascript:alert(1)",
    "datum.x + alert(1) \\' \" `${1}`",
    "\x00\x08\x1b[31mred\u202egnp.exe\u2066\ufffe",
    "constructor",
    "__proto__",
    "our var(--brand) fill=\"var(--text)\" here",
    BOLD,
    BOLD + "2",
]  # fmt: skip
LINK = {"id": "url", "params": {"urlTemplate": "{{value}}", "labelTemplate": "{{value}}"}}
STATES = {
    "lnsXY": {"layers": [{"seriesType": "bar_stacked", "xAccessor": "a", "splitAccessor": "b", "accessors": ["n"]}]},
    "bars": {"layers": [{"seriesType": "bar_horizontal", "xAccessor": "a", "accessors": ["n"]}]},
    "line": {"layers": [{"seriesType": "line", "xAccessor": "a", "splitAccessor": "b", "accessors": ["n"]}]},
    "area": {"layers": [{"seriesType": "area_percentage_stacked", "xAccessor": "t", "splitAccessor": "b",
                         "accessors": ["n"]}]},
    "lnsPie": {"shape": "donut", "layers": [{"primaryGroups": ["a"], "metrics": ["n"]}]},
    "lnsHeatmap": {"shape": "heatmap", "xAccessor": "a", "yAccessor": "b", "valueAccessor": "n"},
    "lnsChoropleth": {"regionAccessor": "a", "valueAccessor": "n"},
    "lnsTagcloud": {"tagAccessor": "a", "valueAccessor": "n"},
    "lnsDatatable": {"columns": [{"columnId": "link"}, {"columnId": "a"}, {"columnId": "n"}]},
}  # fmt: skip


def panel(name: str, place: int) -> Panel:
    columns = {each: {"isBucketed": each != "n", "params": {}} for each in ("a", "b", "t", "n")}
    layers = {"l": {"columns": columns, "columnOrder": list(columns)}}
    state = {"visualization": STATES[name], "datasourceStates": {"formBased": {"layers": layers}}}
    shape = name if name.startswith("lns") else "lnsXY"
    return Panel(name, HOSTILE[0], Grid(0, 12 * place, 24, 12), shape, state, DataView("i", "t", {}))


def drawn(texts: Iterable[str]) -> tuple[DrawnDashboard, Fonts]:
    columns = (
        Column("a", "A", "string"), Column("b", "B", "string"), Column("t", "T", "date", seconds=60),
        Column("n", "N", "number"), Column("link", "L", "string", LINK),
    )  # fmt: skip
    rows = [
        {"a": plain(text), "b": plain(text), "link": plain(text), "t": 60_000 * place, "n": 5 + place}
        for place, text in enumerate(texts)
    ]
    table = Table(columns, rows, len(rows))
    panels = tuple(panel(name, place) for place, name in enumerate(STATES))
    words = Panel("w", "", Grid(24, 0, 24, 12), "markdown", {"markdown": "# <b>x</b> [y](javascript:z)"})
    dashboard = Dashboard(
        "d", HOSTILE[1], "now-15m", "now", (*panels, words), (), ((HOSTILE[2], HOSTILE[3]),)
    )
    fonts = Fonts(words_of([dashboard], [[table]]))
    fonts.register()
    drawings = [draw(each, table, UTC, fonts, f"p{place}") for place, each in enumerate(panels)]
    drawings.append(draw(words, None, UTC, fonts, "w"))
    return DrawnDashboard(dashboard, drawings, "span"), fonts


class Markup(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str, str]] = set()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_text_of_tweets_is_never_markup_and_links_lead_to_the_web_only() -> None:
    dashboard, fonts = drawn([*HOSTILE, "https://example.com/?a=1&b='\"<"])
    markup = Markup(page([dashboard], HOSTILE[0], fonts))
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "input",
        "header",
        "nav",
        "label",
        "main",
        "section",
    }
    allowed |= {"article", "h1", "h2", "div", "span", "i", "b", "p", "footer", "a", "bdi"}
    allowed |= {
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "g",
        "path",
        "text",
        "tspan",
        "line",
        "rect",
    }
    assert markup.tags <= allowed, markup.tags - allowed
    assert not [each for each in markup.attributes if each[1].startswith("on") or each[1] in ("style", "src")]
    links = {value for _, name, value in markup.attributes if name in ("href", "xlink:href")}
    assert links == {"https://example.com/?a=1&b=%27%22%3C"}
    text = "".join(markup.text)
    assert "<script>document.title='taken'</script>" in text, "shown as it was written"
    assert "<b>x</b>" in text, "nor is there markup in markdown"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ufffe]", text)


def test_the_page_loads_and_runs_nothing() -> None:
    dashboard, fonts = drawn(["한국어"])
    text = page([dashboard], "", fonts)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy and policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1] and "<script" not in text
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", text), "nothing from elsewhere"


def test_a_page_that_can_not_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "index.html"):
        with pytest.raises(UserError, match=f"can't write {path}: .*; name a file where you may write"):
            write(path, b"")


def test_the_picture_is_one_clean_drawing_of_the_same_text() -> None:
    dashboard, fonts = drawn(HOSTILE)
    drawing = painted(picture_svg(dashboard, HOSTILE[0], fonts), DARK)
    root = ElementTree.fromstring(drawing)  # noqa: S314
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "rect", "path", "text", "tspan", "line", "defs", "clipPath", "title"}
    assert "".join(root.itertext()).count("<script>") >= 3
    assert not [value for element in root.iter() for value in element.attrib.values() if "var(" in value]
    text = "".join(root.itertext())
    assert "our var(--brand)" in text and 'fill="var(--text)"' in text and 'fill="#' not in text


def chart(name: str, texts: Iterable[str]) -> str:
    """The panel of this name as the page has it, of rows with these texts."""
    dashboard, _ = drawn(texts)
    drawing = dashboard.drawings[list(STATES).index(name)]
    assert isinstance(drawing, Chart), drawing
    return drawing.wide


def texts_of(drawing: str) -> list[str]:
    """The texts of a drawing, in their order, without tooltips."""
    root = ElementTree.fromstring(drawing)  # noqa: S314
    return [
        "".join([element.text or ""] + [each.text or "" for each in element.iter(f"{{{SVG}}}tspan")])
        for element in root.iter(f"{{{SVG}}}text")
    ]


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


def test_a_drawing_keeps_only_shapes_and_text() -> None:
    given = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="x()">
    <script>x()</script><a xlink:href="javascript:x()"><text>in a link</text></a><image href="http://x/"/>
    <clipPath id="c"><rect width="1"/></clipPath><g clip-path="url(#c)" style="x" fill="url(http://x/)"/>
    <path aria-roledescription="bar" aria-label="a &lt;b&gt;" d="M0,0"/></svg>"""
    safe = safe_svg(given, "p-")
    assert not re.search(r"script|javascript|href|onload|http://x|style|image", safe)
    assert 'id="p-c"' in safe and 'clip-path="url(#p-c)"' in safe and "<title>a &lt;b&gt;</title>" in safe


def test_only_addresses_of_the_web_are_links() -> None:
    for address in (
        "javascript:x",
        "JaVaScRiPt:x",
        "data:text/html,x",
        "//x.com",
        "/x",
        "ftp://x",
        "http://",
        "http://[",
    ):
        assert safe_link(address) == ""
    assert safe_link("https://x.com/i/status/1") == "https://x.com/i/status/1"


def glyphs(characters: str, weight: int = 400) -> list[bytes]:
    """Each character as it is drawn, 48 pixels large, on a ground of its own."""
    fonts = Fonts([characters])
    fonts.register()
    pen, images = Pen(fonts), []
    texts = "".join(
        pen.text(60 * place + 6, 48, c, 44, bold=weight == 700) for place, c in enumerate(characters)
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{60 * len(characters)}" height="64" '
        f'font-family="{FAMILIES}">{painted(texts, LIGHT)}</svg>'
    )
    with Image.open(io.BytesIO(vl_convert.svg_to_png(svg, scale=1))) as drawing:
        image = drawing.getchannel("A")
    for place in range(len(characters)):
        images.append(image.crop((60 * place, 0, 60 * place + 60, 64)).tobytes())
    return images


@pytest.mark.parametrize("weight", [400, 700])
def test_korean_and_japanese_are_drawn_and_no_two_characters_look_alike(weight: int) -> None:
    found = glyphs("한글닭뷁안녕あいうアイウ楽気会発来体読画東京駅خ", weight)
    for image in found:
        assert sum(value > 128 for value in image) > 60, "something is drawn"
    for one, other in combinations(found, 2):
        assert sum(abs(a - b) > 128 for a, b in zip(one, other, strict=True)) > 40, "not the same box"


def test_what_no_font_has_is_left_out_of_the_picture_and_the_rest_keeps_its_font() -> None:
    fonts = Fonts(["한글 🥐 café 楽"])
    assert fonts.drawable("한글 🥐 café 楽") == "한글 café 楽"
    assert [family for family, _ in fonts.runs("한글 楽 x")] == ["NanumGothic", "IPAexGothic", "NanumGothic"]
    cut = fonts.fitted("한글 café café café", 60, 12)
    assert cut.endswith("…") and fonts.width(cut, 12) <= 60


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
