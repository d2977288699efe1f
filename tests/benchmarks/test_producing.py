"""`producer.py replay FILE` beside the client libraries alone: `run.py bench -k producing`.

Each writes the same lines into a topic of its own, acknowledged by all in-sync replicas; what counts is what the
topic holds.
"""

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

import bench_install as install
from bench_install import NotInstalled
from bench_peers import SCRIPTS
from bench_results import Results
from bench_size import RECORDS, ROUNDS
from bench_stage import SERVERS, Stage
from bench_watch import follow, start, steady
from kafka_cluster.script import ROOT
from test_limits import kafka_tool

LONGEST_SECONDS = 300.0
PAYLOADS = 10_000
SETTINGS = (
    "acks=all",
    "enable.idempotence=true",
    "compression.type=lz4",
    "linger.ms=20",
    "batch.size=262144",
)
OURS = "`producer.py replay FILE`"
Command = Callable[[Stage, Path, str], list[str]]


def _kafka(stage: Stage, file: Path, topic: str) -> list[str]:
    folder = stage.folder / topic
    folder.mkdir()
    payloads = folder / "payloads.jsonl"  # it draws from them, and holds them all in its memory, twice
    with file.open("rb") as lines:
        payloads.write_bytes(b"".join(islice(lines, PAYLOADS)))
    servers = ",".join(stage.settings.bootstrap_servers)
    return [
        *kafka_tool(folder, "org.apache.kafka.tools.ProducerPerformance"),
        "--topic", topic, "--num-records", str(RECORDS), "--throughput", "-1", "--payload-file", str(payloads),
        "--producer-props", f"bootstrap.servers={servers}", *SETTINGS,
    ]  # fmt: skip


def _kafka_python(how: str) -> Command:
    return lambda _, file, __: [sys.executable, str(SCRIPTS / "produce_kafka_python.py"), str(file), how]


PRODUCERS: dict[str, Command] = {
    OURS: lambda _, file, __: [
        sys.executable, str(ROOT / "kafka-producer" / "producer.py"), "replay", str(file), "--limit", str(RECORDS),
    ],
    "kafka-python, its defaults": _kafka_python("plain"),
    "kafka-python, our settings": _kafka_python("tuned"),
    "confluent-kafka, our settings": lambda _, file, __: [
        str(install.python_of("confluent")), str(SCRIPTS / "produce_confluent.py"), str(file),
    ],
    "Kafka's own tool, our settings": _kafka,
}  # fmt: skip


@pytest.mark.timeout(3600)
def test_producing(stage: Stage, results: Results) -> None:
    results.begin("producing")
    file = stage.file(RECORDS)
    for number in range(ROUNDS):
        for name, command in PRODUCERS.items():
            try:
                results.add("producing", name, round=number, **produce(stage, file, command))
            except NotInstalled as reason:
                results.add("producing", name, missing=str(reason))
    assert all(row["in_topic"] == RECORDS for row in results.of("producing", OURS))


def produce(stage: Stage, file: Path, command: Command) -> dict[str, float]:
    """Fill a topic, and delete it."""
    topic = stage.new_topic()
    env = stage.cluster.env | {"topic": topic, "events_index": "events-bench", "records": str(RECORDS)}
    run = start(
        command(stage, file, topic), env, stage.folder / topic,
        arrived=stage.in_topic(topic), servers=stage.servers("kafka"), own=stage.servers(*SERVERS),
    )  # fmt: skip
    try:
        follow([run], LONGEST_SECONDS)
        return steady(run, RECORDS) | {"in_topic": stage.in_topic(topic)()}
    finally:
        run.end()
        stage.delete_topic(topic)
