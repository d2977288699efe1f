"""Both groups beside what their servers take at most, in one run: `make bench`.

Group A beside prebuilt `_bulk` bodies of the same documents, group B beside WebHDFS CREATE of the same bytes. Only
ratios within one run say something; start-up and joining the group are counted apart.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import psutil
import pytest
from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table

from elasticsearch_index import connect_elasticsearch, ensure_index
from elasticsearch_sink import ElasticsearchSink
from hdfs_archive import line
from hdfs_client import HdfsClient
from kafka_cluster.message import tweet_record
from kafka_cluster.topics import ensure_topics
from kafka_writer import KafkaWriter, tweet
from pipeline import Pipeline
from sample import Record
from tweet_document import create_action
from tweet_generator import TweetGenerator
from tweet_shape import read_tweet

RECORDS = int(os.environ.get("bench_records", "300000"))
MOST_RESIDENT = 150 << 20
ELASTICSEARCH, HDFS = ("elasticsearch",), ("namenode", "datanode1", "datanode2", "datanode3")


@dataclass
class Run:
    """What moving the records took. Seconds and CPU seconds; bytes resident at most."""

    what: str
    seconds: float
    client: float
    server: float
    resident: int = 0
    before: float = 0.0


def lines() -> Iterator[bytes]:
    start = datetime.now(UTC)
    return islice(TweetGenerator(1, start, redelivered=0).lines(start, 300), RECORDS)


def fill(pipeline: Pipeline) -> None:
    ensure_topics(pipeline.settings)
    writer = KafkaWriter(pipeline.settings, KafkaProducer)
    for each in lines():
        while not writer.has_room:
            writer.tend()
            time.sleep(0.01)
        writer.send(tweet(pipeline.settings, tweet_record(each, "bench")))
    assert writer.flush(120) == 0
    writer.close()


def cpu_of(cluster: Any, names: tuple[str, ...]) -> float:
    pids = [cluster.native.processes[name].pid for name in names]
    groups = [[psutil.Process(pid), *psutil.Process(pid).children(recursive=True)] for pid in pids]
    return sum(sum(process.cpu_times()[:2]) for group in groups for process in group)


def group_run(pipeline: Pipeline, cluster: Any, group: str, servers: tuple[str, ...]) -> Run:
    """A group's process from its start to its end, with a backlog of all records."""
    server, started = cpu_of(cluster, servers), time.monotonic()
    process = pipeline.start(
        "consumer.py", "--group", group, "--until-caught-up", hdfs_flush_seconds="30", session_timeout_seconds="10"
    )  # fmt: skip
    watched, assigned, cpu, resident = psutil.Process(process.pid), 0.0, 0.0, 0
    while process.poll() is None:
        try:
            cpu, resident = sum(watched.cpu_times()[:2]), max(resident, watched.memory_info().rss)
        except psutil.Error:
            break
        if not assigned and "assigned" in process.log.read_text():  # type: ignore[attr-defined]
            assigned = time.monotonic()
        time.sleep(0.1)
    assert process.wait() == 0, process.log.read_text()  # type: ignore[attr-defined]
    ended = time.monotonic()
    return Run(
        f"group {'A' if servers == ELASTICSEARCH else 'B'}", ended - assigned, cpu,
        cpu_of(cluster, servers) - server, resident, assigned - started,
    )  # fmt: skip


def limit_run(
    what: str, cluster: Any, servers: tuple[str, ...], workers: int, send: Callable[[bytes], Any], bodies: list[bytes]
) -> Run:  # fmt: skip
    """The same bytes, ready made, sent by as many workers as the group has."""
    server, client, started = cpu_of(cluster, servers), time.process_time(), time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(send, bodies))
    seconds = time.monotonic() - started
    return Run(what, seconds, time.process_time() - client, cpu_of(cluster, servers) - server)


def bulk_bodies() -> list[bytes]:
    headers, now = [("received_at", b"2026-01-01T00:00:00.000Z")], datetime.now(UTC)
    actions = (create_action(read_tweet(each), headers, now) for each in lines())
    return list(iter(lambda: b"".join(islice(actions, 1_000)), b""))


def archive_bodies(flush_bytes: int) -> list[bytes]:
    body, bodies = bytearray(), []
    for offset, each in enumerate(lines()):
        body += line(Record(each, offset))
        if len(body) >= flush_bytes:
            bodies.append(bytes(body))
            body.clear()
    return [*bodies, bytes(body)] if body else bodies


@pytest.mark.timeout(1800)
def test_groups_beside_what_their_servers_take(pipeline: Pipeline, cluster: Any) -> None:
    settings = pipeline.settings
    fill(pipeline)
    elasticsearch = connect_elasticsearch(settings, ElasticsearchSink.workers)
    ensure_index(elasticsearch, settings)
    elasticsearch.indices.create(index=f"{settings.elasticsearch_alias}-limit")
    hdfs, names = HdfsClient(settings), iter(range(10_000))
    runs = [
        group_run(pipeline, cluster, "elasticsearch", ELASTICSEARCH),
        limit_run(
            "_bulk, prebuilt", cluster, ELASTICSEARCH, ElasticsearchSink.workers,
            lambda body: elasticsearch.bulk(
                index=f"{settings.elasticsearch_alias}-limit", operations=body, filter_path="errors"  # type: ignore[arg-type]
            ),
            bulk_bodies(),
        ),
        group_run(pipeline, cluster, "hdfs", HDFS),
        limit_run(
            "WebHDFS CREATE", cluster, HDFS, 1,
            lambda body: hdfs.write(f"{settings.hdfs_root}/limit/{next(names)}", data=body),
            archive_bodies(settings.hdfs_flush_bytes),
        ),
    ]  # fmt: skip
    show(runs)
    assert pipeline.audit().exit_code == 0
    assert all(run.resident < MOST_RESIDENT for run in runs)


def show(runs: list[Run]) -> None:
    table = Table(title=f"{RECORDS:,} records", box=None, padding=(0, 2, 0, 0))
    for title in (
        "",
        "records/s",
        "of the limit",
        "client CPU s",
        "server CPU s",
        "resident",
        "start and join",
    ):
        table.add_column(title, justify="left" if not title else "right")
    for run, limit in zip(runs, (runs[1], runs[1], runs[3], runs[3]), strict=True):
        per = 100_000 / RECORDS
        table.add_row(
            run.what, f"{RECORDS / run.seconds:,.0f}", f"{limit.seconds / run.seconds:.0%}",
            f"{run.client * per:.1f}", f"{run.server * per:.1f}",
            f"{run.resident / 2**20:.0f} MB" if run.resident else "", f"{run.before:.1f} s" if run.before else "",
        )  # fmt: skip
    Console(width=110).print(table, "CPU seconds are per 100,000 records.")
