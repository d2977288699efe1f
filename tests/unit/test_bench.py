"""The benchmark's own sums: the steady part of a run, and what its tables say."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench_report import BEGIN, END, READMES, tables
from bench_results import Results
from bench_watch import Running, Sample, Tree, steady


def test_the_steady_part_leaves_start_and_end_out(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    run = Running(process, tmp_path / "no.log", arrived=lambda: 0.0, servers=Tree([]))
    # 10 s of start with much CPU; then 1,000 in 8 s, evenly, for 4 CPU seconds; then a last one that takes a minute
    run.samples = [
        Sample(0.0, 0.0, 0.0, 0.0), Sample(10.0, 0.0, 50.0, 7.0), Sample(14.0, 500.0, 52.0, 7.4),
        Sample(18.0, 999.9, 54.0, 7.8), Sample(78.0, 1_000.0, 99.0, 9.0),
    ]  # fmt: skip
    figures = steady(run, 1_000)
    assert figures["rate"] == pytest.approx(125, rel=0.01)
    assert figures["client"] == pytest.approx(400, rel=0.01)  # 4 s for 1,000
    assert figures["server"] == pytest.approx(80, rel=0.01)
    assert figures["before"] == 14.0


def test_the_table_says_who_is_ahead_who_is_missing_and_who_loses(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    results.begin("peers")
    for rate in (9_000, 10_000, 30_000):
        results.add("peers", "group A", sink="elasticsearch", round=0, rate=rate, client=3.0, resident=100.0)
    results.add("peers", "rsyslog", sink="elasticsearch", round=0, rate=12_000, client=2.0, resident=50.0)
    results.add("peers", "quix-streams", sink="elasticsearch", missing="pip says no")
    results.add("limits", "`_bulk`, 2 connections", sink="elasticsearch", round=0, rate=20_000, client=1.0)
    results.add("kills", "rsyslog", kill=0, lost=7, doubled=3, torn=0)
    said = tables(Results(tmp_path / "results.json"), "en")
    assert "| **group A** | 10,000 (9,000–30,000) | 50% | 3.0 |" in said
    assert "rsyslog is faster and takes less CPU: it is written in C" in said
    assert "quix-streams | not installed: pip says no |" in said and "| 7 / 3 |" in said
    assert "더 빠르고" in tables(results, "ko")


def test_both_pages_have_a_place_for_the_tables() -> None:
    for page in READMES.values():
        assert (
            page.read_text(encoding="utf-8").count(BEGIN) == page.read_text(encoding="utf-8").count(END) == 1
        )
