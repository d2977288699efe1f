"""From X's socket to the acknowledged record, at twenty times what X sends on a stream at most: `make bench`.

A simulated X, a process of its own on loopback, sends prebuilt posts; the producer reads them with tweepy and writes
them to the real Kafka. profiled_producer.py says how its CPU time is divided.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from kafka_cluster.script import ROOT
from pipeline import Pipeline
from x_simulator import Options, Simulator

XS_LIMIT = 250
"""Posts a second that X sends on one stream at most."""
RATE = 20 * XS_LIMIT
POSTS = int(os.environ.get("bench_posts", "150000"))
PREBUILT = 5_000
MOST_RESIDENT = 350 << 20
"""The process itself, 100,000 lines that may wait, 8 MiB in flight."""
HELD = 0.97
FAIR = 0.1
SCRIPT = ROOT / "tests" / "benchmarks" / "profiled_producer.py"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the profile needs Linux")
@pytest.mark.timeout(600)
def test_the_whole_path_holds_twenty_times_xs_limit(pipeline: Pipeline) -> None:
    with Simulator(Options(rate=RATE, prebuilt=PREBUILT, redelivered=0)) as x:
        process = pipeline.start_file(SCRIPT, x.url, str(POSTS), PYTHONPATH=str(ROOT / "kafka-producer"))
        assert process.wait(timeout=500) == 0, process.log.read_text()  # type: ignore[attr-defined]
    log = process.log.read_text()  # type: ignore[attr-defined]
    measured: dict[str, Any] = json.loads(log.splitlines()[-1])
    said = re.search(r"([\d,]+) tweets, 0 refused.*; ([\d,]+) acknowledged by Kafka$", log, re.M)
    assert said and said[1] == said[2], log
    records = pipeline.topic_records()
    appended = [record.timestamp for record in records]
    took = (max(appended) - min(appended)) / 1000
    rate = len(records) / took
    show(rate, len(records), took, measured)
    assert len(records) == len({record.key for record in records}) == int(said[1].replace(",", "")) >= POSTS
    assert measured["resident"] < MOST_RESIDENT
    if measured["starved"] > FAIR * took and rate < HELD * RATE:
        pytest.skip("the machine was too busy to say whether the rate is held: see `without a core`")
    assert "1 connects, 0 gaps" in log, (
        log
    )  # in the first second tweets may wait on disk, until brokers have answered
    assert rate > HELD * RATE


def show(rate: float, records: int, took: float, measured: dict[str, Any]) -> None:
    seconds, total = measured["seconds"], sum(measured["seconds"].values())
    table = Table(title=f"{records:,} posts, sent at {RATE:,}/s", box=None, padding=(0, 2, 0, 0))
    for title in (
        "posts/s acknowledged",
        "CPU s",
        "without a core",
        "resident",
        "tweepy",
        "ours",
        "kafka-python",
        "other",
    ):
        table.add_column(title, justify="right")
    shares = (f"{seconds.get(whose, 0) / total:.0%}" for whose in ("tweepy", "ours", "kafka-python", "other"))
    table.add_row(
        f"{rate:,.0f}",
        f"{total * 100_000 / records:.1f}",
        f"{measured['starved'] / took:.0%}",
        f"{measured['resident'] / 2**20:.0f} MB",
        *shares,
    )
    Console(width=110).print(
        table,
        "CPU seconds of the producer, per 100,000 posts; tweepy with requests and urllib3. Without a core: how long "
        "the thread that lacked one most was ready to run, and waited for it.",
    )
