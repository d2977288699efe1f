"""Draws assets/220724_kafka_twitter_log.png from assets/architecture.svg: .venv/bin/python assets/draw.py"""

from pathlib import Path

import vl_convert

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    source = (FOLDER / "architecture.svg").read_text(encoding="utf-8")
    (FOLDER / "220724_kafka_twitter_log.png").write_bytes(vl_convert.svg_to_png(source, scale=1.5))
