"""What the processes tell Prometheus is what the audit finds, and it is what docs/metrics.md and the alerts name."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from kafka_cluster.script import ROOT
from pipeline import SCRIPTS, Pipeline, brokers_away, wait_until
from sample import POISON, tweet_lines

pytestmark = pytest.mark.long

TWEETS, BAD = 700, [b"no tweet", b'{"data":{"text":"?"}}']
Samples = dict[tuple[str, ...], float]


def free_ports() -> int:
    """The first of three ports in a row that nobody uses."""
    for first in range(9400, 9900, 10):
        try:
            for port in range(first, first + 3):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    raise AssertionError("no three ports are free")


@pytest.fixture
def port(pipeline: Pipeline) -> int:
    """`metrics_port` of the test's processes."""
    found = free_ports()
    pipeline.env["metrics_port"] = str(found)
    return found


def scrape(port: int) -> Samples:
    """Name and label values of each sample -> its value; {} while nobody answers."""
    try:
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except requests.ConnectionError:
        return {}
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(samples: Samples, name: str) -> float:
    return sum(value for key, value in samples.items() if key[0] == name)


@contextmanager
def replayed(pipeline: Pipeline, lines: list[bytes]) -> Iterator[None]:
    """A producer that has been given the lines, and waits for more."""
    producer = subprocess.Popen(
        [sys.executable, str(SCRIPTS["producer.py"]), "replay", "-"], env=os.environ | pipeline.env,
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert producer.stdin
        producer.stdin.write(b"\n".join(lines) + b"\n")
        producer.stdin.flush()
        yield
    finally:
        said = producer.communicate(timeout=60)
    assert producer.returncode == 0, said


def names_in(path: Path) -> set[str]:
    return set(re.findall(r"\btweets_(?:producer|consumer)_\w+", path.read_text(encoding="utf-8")))


def test_the_figures_are_those_of_the_audit_and_have_the_names_of_the_page(
    pipeline: Pipeline, port: int
) -> None:
    consumers = pipeline.start("consumer.py")
    tweets = tweet_lines(TWEETS)
    with replayed(pipeline, [*tweets, *BAD, *tweets[:5]]):
        wait_until(lambda: scrape(port).get(("tweets_producer_acknowledged_records_total",)) == TWEETS + 7)
        replay = scrape(port)
    assert replay["tweets_producer_lines_total", "tweet"] == TWEETS + 5
    assert replay["tweets_producer_lines_total", "refused"] == len(BAD)
    assert replay["tweets_producer_redelivered_total",] == 5
    assert replay["tweets_producer_dead_letters_total", "no JSON"] == 1
    assert replay["tweets_producer_in_flight_records",] == 0

    live = pipeline.start("producer.py", "simulate", "--rate", "200")
    wait_until(lambda: total(scrape(port), "tweets_producer_acknowledged_records_total") > 300)
    stream = scrape(port)
    live.send_signal(signal.SIGTERM)
    assert live.wait(20) == 0
    assert stream["tweets_producer_stream_connected",] == 1 and stream["tweets_producer_spill_bytes",] == 0
    pipeline.send([value for value in POISON.values() if value == b"[1,2,3]"])

    records = len(pipeline.topic_records())
    groups = {name: port + number for number, name in enumerate(("elasticsearch", "hdfs"), 1)}
    for at in groups.values():
        wait_until(lambda at=at: total(scrape(at), "tweets_consumer_records_total") == records)  # type: ignore[misc]
        wait_until(lambda at=at: total(scrape(at), "tweets_consumer_lag_records") == 0)  # type: ignore[misc]
    report, a, b = pipeline.audit(), scrape(groups["elasticsearch"]), scrape(groups["hdfs"])
    assert report.exit_code == 0 and report.records == records
    assert a["tweets_consumer_records_total", "elasticsearch", "new"] == report.indexed
    assert a["tweets_consumer_records_total", "elasticsearch", "dead"] == 1 == report.dead_letters
    assert b["tweets_consumer_records_total", "hdfs", "new"] == report.stored == records
    reason = next(key[2] for key in a if key[0] == "tweets_consumer_dead_letters_total")
    assert reason == 'no object with an object "data"'
    for name, found in (("elasticsearch", a), ("hdfs", b)):
        assert found["tweets_consumer_write_records_sum", name] == records
        assert (
            found["tweets_consumer_write_seconds_count", name]
            == found["tweets_consumer_delay_seconds_count", name]
        )
        assert found["tweets_consumer_write_bytes_sum", name] > 100 * records
        assert found["tweets_consumer_partitions", name] == 6
        assert {key[2] for key in found if key[0] == "tweets_consumer_lag_records"} == set("012345")
    consumers.terminate()
    assert consumers.wait(30) == 0

    there = {key[0] for found in (replay, stream, a, b) for key in found}
    families = {
        re.sub("_(bucket|sum|count|created)$", "", name) for name in there if name.startswith("tweets_")
    }
    page, alerts = ROOT / "docs" / "metrics.md", ROOT / "docs" / "alerts.yml"
    assert {re.sub("_bucket$", "", name) for name in names_in(page)} == families
    assert names_in(alerts) <= there
    assert yaml.safe_load(alerts.read_text(encoding="utf-8"))["groups"][0]["rules"]


@pytest.mark.timeout(300)
def test_trouble_is_seen_while_it_lasts_and_when_it_is_over(
    pipeline: Pipeline, cluster: Any, port: int
) -> None:
    consumer = pipeline.start("consumer.py", "--group", "elasticsearch")
    pipeline.start("producer.py", "simulate", "--rate", "100")
    wait_until(lambda: total(scrape(port + 1), "tweets_consumer_records_total") > 0)
    second = pipeline.start("consumer.py", "--group", "elasticsearch")
    wait_until(lambda: "no metrics: 127.0.0.1:" in second.log.read_text())  # type: ignore[attr-defined]
    with brokers_away(cluster):
        wait_until(lambda: scrape(port).get(("tweets_producer_kafka_away",)) == 1)
        wait_until(lambda: scrape(port)["tweets_producer_spill_bytes",] > 0)
    wait_until(lambda: scrape(port)["tweets_producer_spill_records",] == 0)
    cluster.kill("elasticsearch")
    try:
        wait_until(lambda: total(scrape(port + 1), "tweets_consumer_resent_records_total") > 0)
        wait_until(lambda: total(scrape(port + 1), "tweets_consumer_lag_records") > 200)
    finally:
        cluster.start("elasticsearch")
    wait_until(lambda: 0 < total(scrape(port + 1), "tweets_consumer_lag_records") < 200)
    for process in (consumer, second):
        assert process.poll() is None, "metrics never end the pipeline"
