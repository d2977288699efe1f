"""Panels of every shape, drawn from texts that somebody else chose."""

from collections.abc import Iterable
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from kafka_cluster.plain_text import plain
from panel_drawing import Chart, draw, words_of
from panel_rows import Column, Table
from preview_fonts import Fonts
from preview_page import DrawnDashboard
from safe_svg import SVG
from saved_objects import Dashboard, DataView, Grid, Panel

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
