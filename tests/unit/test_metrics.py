"""The metrics endpoint: only where it is asked for, only on loopback, never in the way."""

import logging
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import requests
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import group_metrics
from group_metrics import GroupMetrics
from ingest import Counts
from kafka_cluster.message import timestamp
from kafka_cluster.metrics import PORTS, serve, wants_metrics
from kafka_cluster.script import ROOT
from kafka_cluster.settings import Settings, load_settings
from kafka_writer import KafkaWriter, Outgoing
from producer_metrics import ProducerMetrics
from sample import Record
from sink import Written
from spill_file import SpillFile
from spilling_writer import SpillingWriter
from stream_gap import Gap
from x_stream import StreamReader

Samples = dict[tuple[str, ...], float]


def samples(registry: CollectorRegistry) -> Samples:
    """Name and label values of each sample -> its value, out of the text that Prometheus is given."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


@pytest.fixture
def producer(tmp_path: Path) -> Iterator[Samples]:
    """What a producer tells that has had its troubles."""
    spill = SpillFile(tmp_path / "spill", 1_000)
    spill.put([Outgoing("tweets", b"1", b"0123456789", [])])
    writer = SpillingWriter(KafkaWriter(Settings(), lambda **_: MagicMock()), spill)
    writer.lost = 7
    reader, now = StreamReader("token"), datetime.now(UTC)
    reader.gaps = [
        Gap(
            timestamp(now - timedelta(seconds=70)), "cut", timestamp(now - timedelta(seconds=40)), filled=True
        ),
        Gap(timestamp(now - timedelta(seconds=5)), "cut"),
    ]
    counts = Counts(11, 5, 3, 2, 1, 4, 1.5, Counter({"no JSON": 3}))
    registry = CollectorRegistry()
    registry.register(ProducerMetrics(Settings(spill_bytes=1_000), counts, writer, reader))
    yield samples(registry)
    spill.close()


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Samples:
    """What a consumer tells that has had its troubles."""
    registries: list[CollectorRegistry] = []
    monkeypatch.setattr(group_metrics, "serve", lambda *args: registries.append(args[2]))
    monkeypatch.setattr(group_metrics, "GroupLag", lambda *_: SimpleNamespace(by_partition={0: 3, 5: 4}))
    sink: Any = SimpleNamespace(resent=6, verb="stored", write=lambda *_: Written(new=2))
    metrics, written = GroupMetrics(Settings(), "hdfs"), Written(2, 3, 4, 5, Counter({"no JSON": 4}))
    measured = metrics.measure(sink)
    assert measured.verb == "stored", "everything else is the sink's own"
    record = Record(b"0123456789")
    measured.write(None, [record, record], Event())
    progress = SimpleNamespace(written=written, restarts=8)
    loop: Any = SimpleNamespace(progress=progress, owned=lambda: 2)
    lost: Any = SimpleNamespace(ranges=1, records=9)
    metrics.serve(loop, lost)
    return samples(registries[0])


def test_the_producer_tells_what_became_of_lines_records_and_gaps(producer: Samples) -> None:
    name = "tweets_producer_"
    lines = {key[1]: value for key, value in producer.items() if key[0] == f"{name}lines_total"}
    assert lines == {"tweet": 5, "refused": 3, "control": 2, "empty": 1}
    assert producer[f"{name}dead_letters_total", "no JSON"] == 3
    assert producer[f"{name}last_tweet_timestamp_seconds",] == 1.5
    assert producer[f"{name}spill_records",] == 1 and producer[f"{name}spill_bytes",] == 10
    assert producer[f"{name}lost_records_total",] == 7 and producer[f"{name}spill_limit_bytes",] == 1_000
    assert producer[f"{name}stream_gaps_total",] == 2 and producer[f"{name}stream_gaps_filled_total",] == 1
    assert 35 <= producer[f"{name}stream_gap_seconds_total",] < 60, "the open gap grows"
    assert producer[f"{name}stream_connected",] == 0


def test_a_group_tells_what_became_of_its_records_and_what_its_writes_took(group: Samples) -> None:
    name = "tweets_consumer_"
    records = {key[2]: value for key, value in group.items() if key[0] == f"{name}records_total"}
    assert records == {"new": 2, "existing": 3, "dead": 4, "forgotten": 5}
    assert group[f"{name}dead_letters_total", "hdfs", "no JSON"] == 4
    for what, value in {"resent_records": 6, "restarts": 8, "lost_ranges": 1, "lost_records": 9}.items():
        assert group[f"{name}{what}_total", "hdfs"] == value
    assert group[f"{name}lag_records", "hdfs", "5"] == 4 and group[f"{name}partitions", "hdfs"] == 2
    assert group[f"{name}write_records_sum", "hdfs"] == 2 and group[f"{name}write_seconds_count", "hdfs"] == 1
    assert 20 < group[f"{name}write_bytes_sum", "hdfs"] < 1_000


def test_the_page_and_the_alerts_name_what_is_there_and_the_page_names_all(
    producer: Samples, group: Samples
) -> None:
    there = {key[0] for key in (*producer, *group)}
    metrics = {re.sub("_(bucket|sum|count|created)$", "", name) for name in there}
    assert {re.sub("_bucket$", "", name) for name in names_in("metrics.md")} == metrics
    assert names_in("alerts.yml") <= there


def names_in(file: str) -> set[str]:
    text = (ROOT / "docs" / file).read_text(encoding="utf-8")
    return set(re.findall(r"\btweets_(?:producer|consumer)_\w+", text))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_without_the_setting_the_library_is_not_even_imported() -> None:
    rooms = os.pathsep.join(str(ROOT / room) for room in ("kafka-producer", "kafka-consumer"))
    code = "import sys, live, search_poll, consumer_groups; sys.exit('prometheus_client' in sys.modules)"
    env = os.environ | {"PYTHONPATH": rooms}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
    assert not wants_metrics(Settings())


def test_a_missing_library_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not wants_metrics(Settings(metrics_port=9400))
    assert "pip install" in caplog.text


def test_each_process_of_one_env_has_a_port_of_its_own_on_loopback(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(metrics_port=free_port())
    with caplog.at_level(logging.INFO):
        for role in PORTS:
            serve(settings, role, CollectorRegistry())
    addresses = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert addresses == [f"http://127.0.0.1:{settings.metrics_port + n}/metrics" for n in range(3)]
    for address in addresses:
        assert "process_resident_memory_bytes" in requests.get(address, timeout=5).text
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", settings.metrics_port))


def test_a_port_that_is_taken_is_a_warning_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        base = other.getsockname()[1] - 1
        serve(Settings(metrics_port=base), "elasticsearch", CollectorRegistry())
    assert f"no metrics: 127.0.0.1:{base + 1}, of metrics_port {base} + 1, can't be used" in caplog.text


def test_the_setting_is_off_when_empty_or_0(tmp_path: Path) -> None:
    for value, port in (("", 0), ("0", 0), ("9400", 9400)):
        assert load_settings(tmp_path / "none", {"metrics_port": value}).metrics_port == port


def test_the_example_scrapes_the_ports_that_the_page_names() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    example = yaml.safe_load((ROOT / "docs" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = example["scrape_configs"][0]["static_configs"][0]["targets"]
    assert targets == re.findall(r"http://([\d.:]+)/metrics", page)
    assert targets == [f"127.0.0.1:{9400 + offset}" for offset in PORTS.values()]
