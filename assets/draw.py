"""Draws the pictures of the README: .venv/bin/python assets/draw.py

220724_kafka_twitter_log.png from architecture.svg; drill.svg from drill.txt, which is the output of
`python3 kafka-cluster/cluster.py drill` as it came; bench.svg from bench.json, which
`python3 run.py bench --write-readme` writes.
"""

import io
import json
import re
from pathlib import Path

import vl_convert
from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).parent
WIDTH = 104
STYLES = {
    r"^ {8}\S.*": "bold yellow",  # what is done to the cluster
    r"in sync( 3){6}": "green",
    r"in sync(?!( 3){6})( \d){6}": "bold red",
    r"^all agree.*": "bold green",
}


def draw_architecture() -> None:
    """The picture of the architecture, as a PNG."""
    source = (FOLDER / "architecture.svg").read_text(encoding="utf-8")
    (FOLDER / "220724_kafka_twitter_log.png").write_bytes(vl_convert.svg_to_png(source, scale=1.5))


def draw_drill() -> None:
    """A terminal with the recorded drill, as an SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print("$ python3 kafka-cluster/cluster.py drill", style="bold")
    for line in (FOLDER / "drill.txt").read_text(encoding="utf-8").splitlines():
        text = Text(line)
        for pattern, style in STYLES.items():
            text.highlight_regex(re.compile(pattern), style)
        console.print(text)
    console.save_svg(str(FOLDER / "drill.svg"), title="a broker dies", unique_id="drill")


def draw_bench() -> None:
    """Records a second, with the least and the most, and CPU seconds: ours and what people use instead, as an SVG."""
    bars = json.loads((FOLDER / "bench.json").read_text(encoding="utf-8"))
    who = {"field": "who", "type": "nominal", "sort": {"field": "rate", "order": "descending"}, "title": None}
    colour = {"condition": {"test": "datum.ours", "value": "#1d6fb8"}, "value": "#b9c3cc"}
    columns = [
        [_bars(who, colour, "rate", "records a second", sink) for sink in ("elasticsearch", "hdfs")],
        [
            _bars(who, colour, "cpu", "client CPU seconds per 100,000", sink)
            for sink in ("elasticsearch", "hdfs")
        ],
    ]
    chart = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json", "data": {"values": bars}, "background": "white",
        "hconcat": [{"vconcat": column} for column in columns], "config": {"view": {"stroke": None}},
        # a browser's font may be wider than the one that the names were measured with
        "padding": {"left": 24, "top": 5, "right": 5, "bottom": 5},
    }  # fmt: skip
    (FOLDER / "bench.svg").write_text(vl_convert.vegalite_to_svg(chart), encoding="utf-8")


def _bars(who: dict, colour: dict, what: str, title: str, sink: str) -> dict:
    names = {"elasticsearch": "Kafka to Elasticsearch", "hdfs": "Kafka to HDFS"}
    size = {"field": what, "type": "quantitative", "title": title}
    bars = {"mark": "bar", "encoding": {"y": who, "x": size, "color": colour}}
    ends = {
        "mark": {"type": "rule", "size": 2},
        "encoding": {"y": who, "x": {"field": "least", "type": "quantitative"}, "x2": {"field": "most"}},
    }
    return {
        "title": {"text": names[sink], "anchor": "start"}, "width": 300,
        "transform": [{"filter": f"datum.sink == '{sink}'"}], "layer": [bars, ends] if what == "rate" else [bars],
    }  # fmt: skip


if __name__ == "__main__":
    draw_architecture()
    draw_drill()
    if (FOLDER / "bench.json").exists():
        draw_bench()
