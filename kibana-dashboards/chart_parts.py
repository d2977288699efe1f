"""What all charts share: their size, their colours, the look of axes and legends."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from panel_rows import OTHER
from preview_fonts import FAMILIES, Fonts
from preview_theme import SERIES_COLOURS

Json = dict[str, Any]

TEXT, SUBDUED, GRID, OTHERS, SURFACE = (
    f"var(--{name})" for name in ("text", "subdued", "grid", "other", "panel")
)
NARROW, ROOM_FOR_LEGEND = 420, 560
LABEL, LEGEND_LABEL = 12, 150
"""The size of labels, and how wide those of a legend are at most."""


@dataclass(frozen=True)
class Canvas:
    """The size of a chart in pixels, the time zone of its clock, and its fonts."""

    width: int
    height: int
    zone: ZoneInfo
    fonts: Fonts

    @property
    def narrow(self) -> bool:
        """True on a narrow screen."""
        return self.width < NARROW

    def on_axis(self, text: str) -> str:
        """As much of the text as an axis has room for."""
        return self.fonts.fitted(text, self.width * 0.36, LABEL)

    def in_legend(self, text: str, beside: float = 0) -> str:
        """As much of the text as a legend has room for, `beside` what else stands there."""
        return self.fonts.fitted(text, LEGEND_LABEL - beside, LABEL)


def short_names(texts: Iterable[str], cut: Callable[[str], str]) -> dict[str, str]:
    """What stands for each text: cut, and no two alike, since charts group by it."""
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        label, count = cut(text), 1
        while label in found.values():
            count += 1
            label = f"{cut(text)} ({count})"
        found[text] = label
    return found


def framed(spec: Json, canvas: Canvas) -> Json:
    """The chart with its size and the look of the preview."""
    below = canvas.width < (NARROW if spec.get("mark", {}).get("type") == "arc" else ROOM_FOR_LEGEND)
    # Labels are cut before they come here: Vega cuts between the halves of a UTF-16 pair, and then can't draw that.
    axis = {
        "labelColor": SUBDUED, "titleColor": SUBDUED, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID,
        "labelFontSize": LABEL, "titleFontSize": 12, "titleFontWeight": 400, "titlePadding": 10, "labelPadding": 6,
        "domain": False, "ticks": False, "labelLimit": 0,
    }  # fmt: skip
    legend = {
        "labelColor": TEXT, "labelFontSize": LABEL, "symbolType": "circle", "symbolSize": 90, "title": None,
        "symbolStrokeWidth": 0, "rowPadding": 6, "labelLimit": 0, "labelOffset": 6,
        **({"orient": "bottom", "columns": max(2, canvas.width // 120), "columnPadding": 14} if below
           else {"orient": "right", "offset": 16}),
    }  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": canvas.width, "height": canvas.height, "padding": 2, "background": None,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"font": FAMILIES, "view": {"stroke": None}, "axis": axis, "legend": legend},
        **spec,
    }  # fmt: skip


def in_order(names: list[str]) -> Json:
    """An axis of these names. A list as `sort` would fail for what every object of JavaScript has: "constructor"."""
    return {"scale": {"domain": names}}


def colours(series: list[str], look: Json) -> Json:
    """A colour for each series, grey for all others as one; and the legend, where there is one."""
    colours = [
        OTHERS if name == OTHER else SERIES_COLOURS[place % len(SERIES_COLOURS)]
        for place, name in enumerate(series)
    ]
    hidden = not look.get("legend", {}).get("isVisible", True) or len(series) < 2
    legend = {"legend": None} if hidden else {}
    return {"field": "s", "type": "nominal", "scale": {"domain": series, "range": colours}, **legend}
