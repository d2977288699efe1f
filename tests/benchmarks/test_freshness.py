"""How old a tweet is when it can be searched and read, while both groups run: `run.py bench -k freshness`.

A tweet's age counts from `received_at`, when the producer had its line from the (simulated) X. It is seen from
outside: some tweets are picked from the topic, and Elasticsearch and the files in HDFS are asked for them again and
again; what that takes is part of the age.
"""

import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
import requests
from hdfs import HdfsError
from kafka import KafkaConsumer, TopicPartition

from bench_peers import GROUP_A, GROUP_B
from bench_results import Results
from bench_sinks import ID_IN_LINE
from bench_size import FRESH_SECONDS, RATES
from bench_stage import Job, Stage, Topic
from bench_watch import start
from kafka_cluster.kafka_options import consumer_options
from kafka_cluster.message import header
from kafka_cluster.script import ROOT
from pipeline import wait_until

PICKED_A_SECOND = 20
REFRESH_SECONDS, FLUSH_SECONDS = 1.0, 2.0
"""Elasticsearch's refresh interval as in our mapping; `hdfs_flush_seconds` of this test."""
GOAL_SECONDS = 0.5
"""On top of those."""
ASK_SECONDS, LIST_SECONDS = 0.1, 0.15
"""Pauses between two looks at Elasticsearch, and at HDFS, where one look is a request for each partition."""
START_SECONDS = 10.0
"""Tweets of the stream's first seconds do not count: servers that have just been started are slow for so long."""
FOLDERS_SECONDS = 2.0


class Probes:
    """Tweets that are looked for at a sink, and when each was first seen there; seconds since the epoch."""

    def __init__(self, received: dict[str, float]) -> None:
        self._received = received
        self._seen: dict[str, float] = {}

    def seen(self, id_: str, at: float) -> None:
        """It is there, asked at this time; also before it was picked."""
        self._seen.setdefault(id_, at)

    @property
    def waiting(self) -> list[str]:
        """Those that were not seen yet."""
        return [id_ for id_ in list(self._received) if id_ not in self._seen]

    @property
    def ages(self) -> list[float]:
        """How old each was, in seconds, when it was seen; but for those of the start."""
        begin = min(self._received.values()) + START_SECONDS
        return [
            self._seen[id_] - at for id_, at in self._received.items() if id_ in self._seen and at > begin
        ]


class Observer:
    """Three threads: one picks tweets from the topic, one asks Elasticsearch, one looks into HDFS."""

    def __init__(self, stage: Stage, job: Job, every: int) -> None:
        self._stage, self._job, self._every = stage, job, every
        self._received: dict[str, float] = {}
        self.searchable, self.readable = Probes(self._received), Probes(self._received)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._pick, self._search, self._read)]

    def __enter__(self) -> "Observer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self) -> int:
        """Tweets that are not yet at both sinks."""
        return len(self.searchable.waiting) + len(self.readable.waiting)

    def _pick(self) -> None:
        consumer = KafkaConsumer(**consumer_options(self._stage.settings, None))
        topic = self._job.topic.name
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)])
        consumer.seek_to_beginning()
        read = 0
        while not self._over.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                for record in records:
                    read += 1
                    if read % self._every == 0:
                        received = datetime.fromisoformat(
                            header(record.headers, "received_at") or ""
                        ).timestamp()
                        self._received.setdefault(record.key.decode(), received)  # X may deliver it twice
        consumer.close()

    def _search(self) -> None:
        while not self._over.wait(ASK_SECONDS):
            asked = self.searchable.waiting[:1_000]
            if asked:
                found = self._stage.elasticsearch.search(
                    index=self._job.env["elasticsearch_alias"], query={"ids": {"values": asked}}, size=len(asked),
                    source=False, ignore_unavailable=True,
                )  # fmt: skip
                for hit in found["hits"]["hits"]:
                    self.searchable.seen(hit["_id"], time.time())

    def _read(self) -> None:
        folders: list[str] = []
        known: dict[str, int] = {}
        looked = 0.0
        while not self._over.wait(LIST_SECONDS):
            if time.monotonic() - looked > FOLDERS_SECONDS or len(folders) < 6:
                folders, looked = list(self._folders(self._job.env["hdfs_root"])), time.monotonic()
            for folder in folders:
                listed = self._stage.hdfs.folder(folder)
                at = time.time()
                for name, status in listed.items():
                    before = known.get(name_of(folder, name), 0)
                    if status["type"] == "FILE" and before != status["length"]:
                        known[name_of(folder, name)] = status["length"]
                        self._read_file(f"{folder}/{name}", before, at)

    def _folders(self, root: str) -> Iterator[str]:
        for name, status in self._stage.hdfs.folder(root).items():
            if status["type"] == "DIRECTORY" and not name.startswith("_"):
                path = f"{root}/{name}"
                yield from [path] if name.startswith("dt=") else self._folders(path)

    def _read_file(self, path: str, begin: int, at: float) -> None:
        """Read on where others were joined to it: to read all again would slow down what is measured."""
        gone = contextlib.suppress(HdfsError, requests.RequestException)  # joined to another just now
        with gone, self._stage.hdfs.read(path, offset=begin) as reader:
            for id_ in ID_IN_LINE.findall(reader.read()):
                self.readable.seen(id_.decode(), at)


def name_of(folder: str, name: str) -> str:
    """A piece, whichever folder it has been moved to."""
    return f"{folder.partition('partition=')[2].partition('/')[0]}/{name}"


@pytest.mark.usefixtures("warm")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rate", RATES)
def test_freshness(stage: Stage, results: Results, rate: int) -> None:
    results.begin(f"freshness {rate}")
    job = stage.job(GROUP_A, Topic(stage.new_topic(), 0, 0), hdfs_flush_seconds=str(FLUSH_SECONDS))
    groups = start(
        [sys.executable, str(ROOT / "kafka-consumer" / "consumer.py")], job.env, job.folder,
        arrived=lambda: 0.0, servers=stage.servers("kafka"),
    )  # fmt: skip
    try:
        wait_until(lambda: groups.log.read_text().count("assigned") >= 2)
        with Observer(stage, job, max(1, rate // PICKED_A_SECOND)) as observer:
            command = [
                sys.executable,
                str(ROOT / "kafka-producer" / "producer.py"),
                "simulate",
                "--rate",
                str(rate),
            ]
            producer = start(
                [*command, "--duration", str(FRESH_SECONDS)], job.env, job.folder,
                arrived=lambda: 0.0, servers=stage.servers("kafka"),
            )  # fmt: skip
            try:
                assert producer.process.wait(FRESH_SECONDS + 60) == 0, producer.last_words()
                time.sleep(1)
                wait_until(lambda: observer.waiting == 0, 30)
            finally:
                producer.end()
    finally:
        groups.end()
        stage.clear(job)
        stage.clear(Job(GROUP_B, job.topic, job.env, job.folder))
    # where the cores are full, the simulated X cuts the producer off as a slow reader: fewer came than were sent
    every = max(1, rate // PICKED_A_SECOND)
    reached = round(len(observer.searchable.ages) * every / (FRESH_SECONDS - START_SECONDS))
    for what, probes, interval in (
        ("searchable", observer.searchable, REFRESH_SECONDS), ("readable in HDFS", observer.readable, FLUSH_SECONDS),
    ):  # fmt: skip
        cuts = statistics.quantiles(probes.ages, n=100)
        results.add(
            f"freshness {rate}", what, rate=rate, p50=cuts[49], p99=cuts[98], most=max(probes.ages),
            goal=interval + GOAL_SECONDS, reached=reached,
        )  # fmt: skip
    seen = sum(map(len, (observer.searchable.ages, observer.readable.ages))) / 2
    assert seen > 0.9 * min(rate, PICKED_A_SECOND) * (FRESH_SECONDS - START_SECONDS), (
        "too few tweets were seen"
    )
