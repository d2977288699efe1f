"""The preview of a real run: opened in a real browser it shows the figures, and hostile tweets stay text."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from kafka_cluster.message import timestamp
from kafka_cluster.script import ROOT
from pipeline import Pipeline

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=3000",
)  # fmt: skip
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
GREEN = (0x54, 0xB3, 0x99)


def tweet(number: int, at: datetime, text: str, tag: str) -> bytes:
    data = {
        "id": str(2_000_000_000_000_000_000 + number), "text": text, "author_id": "7", "lang": "ko",
        "created_at": timestamp(at), "public_metrics": {"like_count": 0},
        "entities": {"hashtags": [{"tag": tag}], "urls": [{"expanded_url": "https://example.com/<b>"}]},
    }  # fmt: skip
    users = [{"id": "7", "username": "<i>haru</i>", "public_metrics": {"followers_count": 12}}]
    return json.dumps({"data": data, "includes": {"users": users}}).encode()


def preview(pipeline: Pipeline, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "kibana-dashboards" / "preview.py"), *args]
    return subprocess.run(
        command, env=os.environ | pipeline.env, cwd=pipeline.folder, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def opened(page: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    """The page in the browser, which has no network."""
    if not BROWSER:
        pytest.skip("no Chromium is installed")
    command = [BROWSER, *FLAGS, f"--user-data-dir={page.parent / 'browser'}", *args, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_browser_shows_the_figures_of_a_real_run_and_runs_nothing_that_tweets_say(
    pipeline: Pipeline,
) -> None:
    texts = [*[f"tweet {number}" for number in range(1_498)], "한국어 日本語", HOSTILE]
    start = datetime.now(UTC) - timedelta(minutes=5)
    pipeline.send([
        tweet(n, start + timedelta(milliseconds=100 * n), text, "<b>태그</b>" if n > 1_400 else "태그")
        for n, text in enumerate(texts)
    ])  # fmt: skip
    assert pipeline.catch_up().exit_code == 0
    page, png = pipeline.folder / "page.html", pipeline.folder / "page.png"
    drawn = preview(pipeline, "--since", "now-15m", "--output", str(page), "--png", str(png))
    assert drawn.returncode == 0, drawn.stderr
    assert page.as_uri() in drawn.stdout
    with Image.open(png) as image:
        assert min(image.size) > 2_000

    seen = opened(page, "--dump-dom")
    assert "<title>Tweets live" in seen.stdout and "Refused to" not in seen.stderr, seen.stderr
    assert 'class="value">1,500<' in seen.stdout, "tweets, as counted"
    text = re.sub(r"<[^>]*>", "", seen.stdout)
    assert "&lt;script&gt;document.title='taken'&lt;/script&gt;" in text
    for size, themes in (("1600,2600", ("0", "1")), ("500,2600", ("1",))):
        for theme in themes:
            shot = pipeline.folder / f"{size}-{theme}.png"
            flag = f"--blink-settings=preferredColorScheme={theme}"
            opened(page, flag, f"--window-size={size}", f"--screenshot={shot}")
            with Image.open(shot) as image:
                pixels = image.convert("RGB")
            ground = sum(pixels.getpixel((3, 300)))  # type: ignore[arg-type]
            assert ground < 150 if theme == "0" else ground > 600, "dark or light as the reader has it"
            colours = {colour: count for count, colour in pixels.getcolors(1 << 24) or ()}
            assert colours.get(GREEN, 0) > 2_000, "bars are drawn"


def test_wrong_arguments_are_told_in_a_line(pipeline: Pipeline) -> None:
    for args, words in (
        (("--dashboard", "none"), "there are tweets-live"),
        (("--since", "noon"), "is no time"),
    ):
        refused = preview(pipeline, *args)
        assert refused.returncode == 2 and words in refused.stderr and "Traceback" not in refused.stderr
