"""Draws the pictures of the README: .venv/bin/python assets/draw.py

220724_kafka_twitter_log.png from architecture.svg; drill.svg from drill.txt, which is the output of
`python3 kafka-cluster/cluster.py drill` as it came.
"""

import io
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


if __name__ == "__main__":
    draw_architecture()
    draw_drill()
