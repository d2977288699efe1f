"""Dashboards -> one HTML page that needs nothing else: no network, no script. All text is escaped."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from panel_drawing import Chart, Drawing, Words
from panel_text import Cell, Cells, Tile
from preview_fonts import PAGE_FAMILIES, Fonts
from preview_theme import DARK, LIGHT, css_variables
from saved_objects import Dashboard, Panel

STYLE = Path(__file__).with_name("preview.css")
LONG_TEXT = 42
"""Characters from which a column's text may be broken into lines."""
THEMES = (("auto", "Auto"), ("light", "Light"), ("dark", "Dark"))


@dataclass(frozen=True)
class DrawnDashboard:
    """A dashboard with its drawings, in the order of its panels, and its time range in words."""

    dashboard: Dashboard
    drawings: list[Drawing]
    span: str


def page(drawn: list[DrawnDashboard], made: str, fonts: Fonts) -> str:
    """The page. `made`: from what and when, for its foot."""
    style = "\n".join(_style(drawn, fonts))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; font-src data:; base-uri 'none'; form-action 'none'"
    title = escape(" · ".join(each.dashboard.title for each in drawn))
    tabs = "".join(
        f'<label for="tab{place}">{escape(each.dashboard.title)}</label>' for place, each in enumerate(drawn)
    )
    themes = "".join(f'<label for="theme-{name}">{label}</label>' for name, label in THEMES)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{"".join(_choices(drawn))}
<header class="top"><div>
<div class="mark"><i></i>Dashboards</div>
<nav class="tabs">{tabs}</nav>
<div class="themes">{themes}</div>
</div></header>
<main>
{"".join(_dashboard(each, number) for number, each in enumerate(drawn))}
<footer>{escape(made)}</footer>
</main>
</body>
</html>
"""


def _choices(drawn: list[DrawnDashboard]) -> Iterator[str]:
    """The state of the page, without a script: which dashboard, and which theme."""
    for number in range(len(drawn)):
        checked = "" if number else " checked"
        yield f'<input class="choice" type="radio" name="tab" id="tab{number}"{checked}>'
    for name, _ in THEMES:
        checked = " checked" if name == "auto" else ""
        yield f'<input class="choice" type="radio" name="theme" id="theme-{name}"{checked}>'


def _style(drawn: list[DrawnDashboard], fonts: Fonts) -> Iterator[str]:
    dark = css_variables(DARK)
    yield f"html{{{css_variables(LIGHT)}--fonts:{PAGE_FAMILIES}}}"
    yield f"@media (prefers-color-scheme:dark){{html:not(:has(#theme-light:checked)){{{dark}color-scheme:dark}}}}"
    yield f"html:has(#theme-dark:checked){{{dark}color-scheme:dark}}"
    yield "html:has(#theme-light:checked){color-scheme:light}"
    yield STYLE.read_text(encoding="utf-8")
    for name, _ in THEMES:
        yield (
            f"body:has(#theme-{name}:checked) label[for=theme-{name}]"
            "{background:var(--panel);color:var(--text);box-shadow:0 0 0 1px var(--border)}"
        )
    for number, each in enumerate(drawn):
        chosen = f"body:has(#tab{number}:checked)"
        yield f"{chosen} #dashboard{number}{{display:block}}"
        yield f"{chosen} label[for=tab{number}]{{color:var(--text);font-weight:600;border-color:var(--link)}}"
        for place, panel in enumerate(each.dashboard.panels):
            grid = panel.grid
            yield (
                f"@media(min-width:1100px){{#panel{number}-{place}{{grid-column:{grid.x + 1}/span {grid.w};"
                f"grid-row:{grid.y + 1}/span {grid.h}}}}}"
            )
    yield fonts.css


def _dashboard(drawn: DrawnDashboard, number: int) -> str:
    controls = "".join(
        f'<span class="chip"><b>{escape(title)}</b>{escape(choice)}</span>'
        for title, choice in drawn.dashboard.controls
    )
    panels = "".join(
        _panel(panel, drawing, f"panel{number}-{place}")
        for place, (panel, drawing) in enumerate(zip(drawn.dashboard.panels, drawn.drawings, strict=True))
    )
    scope = (
        f'<h1>{escape(drawn.dashboard.title)}</h1>{controls}<span class="chip">{escape(drawn.span)}</span>'
    )
    return f"""<section class="dashboard" id="dashboard{number}">
<div class="scope">{scope}</div>
<div class="grid">{panels}</div>
</section>
"""


def _panel(panel: Panel, drawing: Drawing, name: str) -> str:
    title = f'<h2 title="{escape(panel.title)}">{escape(panel.title)}</h2>' if panel.title else ""
    broad = "" if panel.grid.w <= 24 else " broad"
    return f'<article class="panel{broad}" id="{name}">{title}<div class="body">{_body(drawing)}</div></article>\n'


def _body(drawing: Drawing) -> str:
    if isinstance(drawing, Chart):
        return f'<div class="wide">{drawing.wide}</div><div class="narrow">{drawing.narrow}</div>'
    if isinstance(drawing, Words):
        return (
            f'<div class="words">{MarkdownIt("commonmark", {"html": False}).render(drawing.markdown)}</div>'
        )
    if isinstance(drawing, Cells):
        return _table(drawing)
    if isinstance(drawing, Tile):
        return _tile(drawing)
    return f'<div class="note">{escape(drawing.text)}</div>'


def _tile(tile: Tile) -> str:
    change = f'<span class="change {tile.way}">{escape(tile.change)}</span>' if tile.change else ""
    before = f'<div class="before">{change}{escape(tile.before)}</div>' if tile.before else ""
    return (
        f'<div class="tile"><div class="label">{escape(tile.label)}</div>'
        f'<div class="value">{escape(tile.value)}</div>{before}</div>'
    )


def _table(cells: Cells) -> str:
    kinds = [
        "number" if numeric else "long" if any(len(row[place].text) > LONG_TEXT for row in cells.rows) else ""
        for place, numeric in enumerate(cells.numeric)
    ]
    head = "".join(
        f'<th class="{kind}">{escape(label)}</th>' for kind, label in zip(kinds, cells.labels, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(kind, cell) for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in cells.rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(kind: str, cell: Cell) -> str:
    text = f"<bdi>{escape(cell.text)}</bdi>"
    if cell.link:
        text = f'<a href="{escape(cell.link)}" target="_blank" rel="noopener noreferrer nofollow">{text}</a>'
    return f'<td class="{kind}">{text}</td>'
