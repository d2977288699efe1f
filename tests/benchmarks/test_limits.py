"""What the servers and the client libraries reach on their own: `run.py bench -k limits`.

Prebuilt `_bulk` bodies and WebHDFS CREATE of the same bytes, without Kafka; and reading the topic, without a sink.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import bench_install as install
from bench_peers import ELASTICSEARCH, GROUP_A, HDFS, JAVA, LOG4J, SCRIPTS
from bench_results import Results
from bench_size import RECORDS, ROUNDS
from bench_stage import Job, Stage
from bench_watch import PER, Running, follow, start
from elasticsearch_index import connect_elasticsearch, ensure_index
from hdfs_archive import line
from sample import Record
from tweet_document import create_action
from tweet_shape import read_tweet

CONNECTIONS = (1, 2, 4)
CHUNKS = (1, 4, 16, 64)
"""MB."""
DOCUMENTS = 2_000
CLIENTS = {
    "kafka-python": lambda: [sys.executable, str(SCRIPTS / "consume_kafka_python.py")],
    "confluent-kafka": lambda: [str(install.python_of("confluent")), str(SCRIPTS / "consume_confluent.py")],
}


@pytest.mark.timeout(3600)
def test_limits_of_elasticsearch_and_hdfs(stage: Stage, results: Results) -> None:
    results.begin("limits")
    lines, client = stage.lines(RECORDS), connect_elasticsearch(stage.settings, connections=max(CONNECTIONS))
    ensure_index(client, stage.settings)  # for the template: an index by its pattern has our mapping
    bulks, index = bulk_bodies(lines), f"{stage.settings.elasticsearch_alias}-limit"
    for number in range(ROUNDS):
        for connections in CONNECTIONS:
            client.indices.create(index=index)
            row = send(stage, ELASTICSEARCH, connections, bulks, lambda body: bulk(client, index, body))
            client.indices.refresh(index=index)
            assert client.count(index=index)["count"] == RECORDS
            client.indices.delete(index=index)
            results.add(
                "limits", f"`_bulk`, {connections} connections", sink=ELASTICSEARCH, round=number, **row
            )
    for number in range(ROUNDS):
        for chunk in CHUNKS:
            names = iter(range(1_000_000))
            row = send(
                stage, HDFS, 1, archive_bodies(lines, chunk << 20),
                lambda body, names=names: stage.hdfs.write(f"/bench/limit/{next(names)}", data=body),
            )  # fmt: skip
            stage.hdfs.delete("/bench/limit", recursive=True)
            results.add("limits", f"WebHDFS CREATE, {chunk} MB", sink=HDFS, round=number, **row)


@pytest.mark.timeout(1800)
def test_limits_of_reading(stage: Stage, results: Results) -> None:
    results.begin("reading")
    topic = stage.topic(RECORDS)
    for number in range(ROUNDS):
        for name, command in CLIENTS.items():
            job = stage.job(GROUP_A, topic)
            said = json.loads(
                to_the_end(start(command(), job.env, job.folder, **nothing(stage))).splitlines()[-1]
            )
            figures = {
                "rate": said["records"] / said["seconds"],
                "client": said["cpu"] / said["records"] * PER,
            }
            results.add("reading", name, round=number, **figures)
        results.add(
            "reading", "Kafka's own tool", round=number, **perf_consumer(stage, stage.job(GROUP_A, topic))
        )


def perf_consumer(stage: Stage, job: Job) -> dict[str, float]:
    """`kafka-consumer-perf-test`; its CPU seconds are those of the whole run of the JVM."""
    servers, _, broker = job.env["bootstrap_servers"].partition(",")
    command = kafka_tool(job.folder, "org.apache.kafka.tools.ConsumerPerformance")
    command += [
        "--bootstrap-server",
        broker or servers,
        "--topic",
        job.topic.name,
        "--group",
        job.env["group"],
    ]
    run = start([*command, "--messages", str(job.topic.records)], job.env, job.folder, **nothing(stage))
    rate = to_the_end(run).splitlines()[-1].split(",")[-1]
    return {
        "rate": float(rate),
        "client": run.tree.cpu() / job.topic.records * PER,
        "resident": run.tree.resident / 2**20,
    }


def kafka_tool(folder: Path, main: str) -> list[str]:
    """The command of one of Kafka's own tools."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j.properties").write_text(LOG4J)
    return [str(install.java()), *JAVA, "-cp", f"{folder}:{install.jars(install.KAFKA_TOOLS)}", main]


def nothing(stage: Stage) -> dict[str, Any]:
    """For what delivers nothing."""
    return {"arrived": lambda: 0.0, "servers": stage.servers("kafka")}


def to_the_end(run: Running) -> str:
    """Wait, and return what it printed."""
    try:
        follow([run], 300)
    finally:
        run.end()
    return run.log.read_text()


def send(
    stage: Stage, sink: str, workers: int, bodies: list[bytes], send_one: Callable[[bytes], Any]
) -> dict[str, float]:
    """Send ready-made bodies with so many workers."""
    servers = stage.servers(sink)
    server, client, started = servers.cpu(), time.process_time(), time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(send_one, bodies))
    seconds = time.monotonic() - started
    per = PER / RECORDS
    return {
        "rate": RECORDS / seconds, "client": (time.process_time() - client) * per,
        "server": (servers.cpu() - server) * per,
    }  # fmt: skip


def bulk(client: Any, index: str, body: bytes) -> None:
    answer = client.bulk(index=index, operations=body, filter_path="errors")
    assert answer["errors"] is False


def bulk_bodies(lines: list[bytes]) -> list[bytes]:
    """`_bulk` bodies of the documents that group A makes of these tweets."""
    headers, now = [("received_at", b"2026-01-01T00:00:00.000Z")], datetime.now(UTC)
    actions = (create_action(read_tweet(each), headers, now) for each in lines)
    return list(iter(lambda: b"".join(islice(actions, DOCUMENTS)), b""))


def archive_bodies(lines: list[bytes], chunk: int) -> list[bytes]:
    """The lines of group B's archive, in bodies of at least so many bytes."""
    body, bodies = bytearray(), []
    for offset, each in enumerate(lines):
        body += line(Record(each, offset))
        if len(body) >= chunk:
            bodies.append(bytes(body))
            body.clear()
    return [*bodies, bytes(body)] if body else bodies
