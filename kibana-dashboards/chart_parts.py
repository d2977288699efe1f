"""What all charts share: their size, their colours, the look of axes and legends."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from panel_rows import OTHER
from preview_fonts import FAMILIES
from preview_theme import SERIES_COLOURS

Json = dict[str, Any]

TEXT, SUBDUED, GRID, OTHERS, SURFACE = (
    f"var(--{name})" for name in ("text", "subdued", "grid", "other", "panel")
)
NARROW, ROOM_FOR_LEGEND = 420, 560


@dataclass(frozen=True)
class Canvas:
    """The size of a chart in pixels, and the time zone of its clock."""

    width: int
    height: int
    zone: ZoneInfo

    @property
    def narrow(self) -> bool:
        """True on a narrow screen."""
        return self.width < NARROW


def framed(spec: Json, canvas: Canvas) -> Json:
    """The chart with its size and the look of the preview."""
    below = canvas.width < (NARROW if spec.get("mark", {}).get("type") == "arc" else ROOM_FOR_LEGEND)
    axis = {
        "labelColor": SUBDUED, "titleColor": SUBDUED, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400, "titlePadding": 10, "labelPadding": 6,
        "domain": False, "ticks": False, "labelLimit": int(canvas.width * 0.36),
    }  # fmt: skip
    legend = {
        "labelColor": TEXT, "labelFontSize": 12, "symbolType": "circle", "symbolSize": 90, "title": None,
        "symbolStrokeWidth": 0, "rowPadding": 6, "labelLimit": 150, "labelOffset": 6,
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


def colours(series: list[str], look: Json) -> Json:
    """A colour for each series, grey for all others as one; and the legend, where there is one."""
    colours = [
        OTHERS if name == OTHER else SERIES_COLOURS[place % len(SERIES_COLOURS)]
        for place, name in enumerate(series)
    ]
    hidden = not look.get("legend", {}).get("isVisible", True) or len(series) < 2
    legend = {"legend": None} if hidden else {}
    return {"field": "s", "type": "nominal", "scale": {"domain": series, "range": colours}, **legend}
