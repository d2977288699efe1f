"""The stage of a benchmark: topics full of tweets on a cluster of its own, and clients that are run against them."""

import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import hdfs
from kafka import KafkaConsumer, TopicPartition

from bench_install import NotInstalled
from bench_peers import ELASTICSEARCH, GROUP_A, GROUP_B, HDFS, Client
from bench_sinks import RAW_MAPPING, Found, in_elasticsearch, in_hdfs, indexed, written
from bench_watch import Running, Tree, follow, start
from elasticsearch_index import connect_elasticsearch
from hdfs_client import HdfsClient
from kafka_cluster.groups import committed_offsets, lag
from kafka_cluster.kafka_options import consumer_options
from kafka_cluster.script import ROOT
from kafka_cluster.settings import Settings, load_settings
from kafka_cluster.topics import admin_client, ensure_topics
from topic_reader import log_offsets
from tweet_generator import TweetGenerator

SERVERS = {
    ELASTICSEARCH: ("elasticsearch",),
    HDFS: ("namenode", "datanode1", "datanode2", "datanode3"),
    "kafka": ("kafka1", "kafka2", "kafka3"),
}
NAMENODE_PORT = 8020
WARM_UP_ROUNDS, WARM_UP_RECORDS, LONGEST_WARM_UP_SECONDS = 3, 100_000, 120.0
ENOUGH = 1.02
"""For those that never stop reading: bytes that are written twice, at the ends of checksum chunks, count too."""


@dataclass(frozen=True)
class Topic:
    """A topic full of tweets; `size`: their bytes, with a line end each."""

    name: str
    records: int
    size: int


@dataclass(frozen=True)
class Job:
    """A client's work: its own group, and its own index or folder."""

    client: Client
    topic: Topic
    env: dict[str, str]
    folder: Path


class Stage:
    """Topics, jobs, and a look at what they have done."""

    def __init__(self, cluster: Any, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.settings: Settings = load_settings(folder / "no.env", cluster.env)
        self.elasticsearch = connect_elasticsearch(self.settings).options(request_timeout=120)
        self.hdfs = HdfsClient(self.settings)
        self._kafka = KafkaConsumer(**consumer_options(self.settings, None))
        self._topics: dict[int, Topic] = {}
        self._lines = (folder / "tweets.jsonl", 0)

    def warm_up(self) -> None:
        """Let both groups deliver a topic, a few times: a server that has just been started is half as fast, since
        Java compiles what runs often, and is that for a minute of work."""
        for client in (GROUP_A, GROUP_B) * WARM_UP_ROUNDS:
            job = self.job(client, self.topic(WARM_UP_RECORDS))
            run = self.start(job)
            try:
                follow([run], LONGEST_WARM_UP_SECONDS)
            finally:
                run.end()
                self.clear(job)
        self.delete_topic(self.topic(WARM_UP_RECORDS).name)

    # topics

    def file(self, records: int) -> Path:
        """A file with at least so many tweets, one a line, no id twice."""
        path, there = self._lines
        if there < records:
            start_at = datetime.now(UTC)
            lines = TweetGenerator(1, start_at, redelivered=0).lines(start_at, 300)
            with path.open("wb") as file:
                file.writelines(line + b"\n" for line in islice(lines, records))
            self._lines = (path, records)
        return path

    def lines(self, records: int) -> list[bytes]:
        """So many tweets, without line ends."""
        with self.file(records).open("rb") as file:
            return [line[:-1] for line in islice(file, records)]

    def new_topic(self) -> str:
        """An empty topic of its own."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        ensure_topics(replace(self.settings, topic=name))
        return name

    def topic(self, records: int) -> Topic:
        """A topic with so many tweets; made once."""
        if records not in self._topics:
            name, file = self.new_topic(), self.file(records)
            command = [sys.executable, str(ROOT / "kafka-producer" / "producer.py"), "replay", str(file)]
            env = self.cluster.env | {"topic": name, "events_index": "events-bench"}
            subprocess.run([*command, "--limit", str(records)], env=env, check=True, capture_output=True)
            size = sum(map(len, self.lines(records))) + records
            self._topics[records] = Topic(name, records, size)
        return self._topics[records]

    def delete_topic(self, name: str) -> None:
        """It takes disk."""
        with admin_client(self.settings) as admin:
            admin.delete_topics([name])
        self._topics = {records: topic for records, topic in self._topics.items() if topic.name != name}

    # jobs

    def job(self, client: Client, topic: Topic, arguments: str = "--until-caught-up", **env: str) -> Job:
        """A job of its own group; a peer's index is made here, ours makes its own."""
        name = f"test-{uuid.uuid4().hex[:8]}"  # what Elasticsearch's users have rights for
        job = Job(client, topic, self.cluster.env | {
            "sink": client.sink, "arguments": arguments, "topic": topic.name, "index": name,
            "group": f"{name}-{client.sink}", "elasticsearch_group": f"{name}-{ELASTICSEARCH}",
            "hdfs_group": f"{name}-{HDFS}", "elasticsearch_alias": name, "hdfs_root": f"/bench/{name}",
            "hdfs_uri": f"hdfs://127.0.0.1:{self.namenode_port}", "events_index": "events-bench",
            "hdfs_user": self.settings.hdfs_user, "elasticsearch_user": self.settings.elasticsearch_user,
            "records": str(topic.records), "session_timeout_seconds": "6",
            "spill_folder": str(self.folder / "spill"),
        } | env, self.folder / name)  # fmt: skip
        if client.sink == HDFS:
            self.hdfs.make_folder(job.env["hdfs_root"])
        elif not client.ours:
            self.elasticsearch.indices.create(index=name, **RAW_MAPPING)
        return job

    def start(self, job: Job) -> Running:
        """Start a process of a job; several of one job share its group. Raises NotInstalled."""
        command, env = job.client.command(job.env, job.folder)
        expected = job.topic.records if job.client.sink == ELASTICSEARCH else job.topic.size
        return start(
            command, job.env | env, job.folder, arrived=self.arrived(job),
            servers=self.servers(job.client.sink), own=self.servers(*SERVERS),
            expected=None if job.client.ours else expected, enough=1.0 if job.client.sink == ELASTICSEARCH else ENOUGH,
        )  # fmt: skip

    def arrived(self, job: Job) -> Callable[[], float]:
        """Documents, or bytes. Bytes are those of all clients: one job for HDFS runs at a time."""
        if job.client.sink == ELASTICSEARCH:
            return indexed(self.elasticsearch, job.env["index"])
        if job.client.most:  # many small appends, each of which writes the end of a chunk once more
            return lambda: float(self.hdfs.content(job.env["hdfs_root"])["length"])
        return written(self.settings.webhdfs_url)

    @property
    def namenode_port(self) -> int:
        """Where HDFS's own clients find it."""
        return NAMENODE_PORT + self.cluster.offset

    def servers(self, *which: str) -> Tree:
        """The processes of Elasticsearch, HDFS or Kafka."""
        processes = self.cluster.native.processes
        return Tree([processes[name].pid for each in which for name in SERVERS[each]], grows=False)

    def lag(self, job: Job) -> int:
        """Records that the job's group has not committed."""
        with admin_client(self.settings) as admin:
            return lag(
                log_offsets(self.settings, job.topic.name)[1], committed_offsets(admin, job.env["group"])
            )

    def found(self, job: Job) -> Found:
        """The tweet ids at the sink, and how often each is there."""
        if job.client.sink == ELASTICSEARCH:
            return in_elasticsearch(self.elasticsearch, job.env["index"], job.client.id_field)
        return in_hdfs(self.hdfs, job.env["hdfs_root"])

    def count(self, job: Job) -> dict[str, float]:
        """How many tweets the sink lacks, how many it has beyond the first, and how many torn lines."""
        found = self.found(job)
        torn = found.pop("torn", 0)
        return {
            "lost": job.topic.records - len(found), "doubled": found.total() - len(found), "torn": torn,
        }  # fmt: skip

    def quick_count(self, job: Job) -> int:
        """How many tweets are at the sink, each as often as it is there."""
        if job.client.sink == HDFS:
            return self.found(job).total()
        self.elasticsearch.indices.refresh(index=job.env["index"])
        return self.elasticsearch.count(index=job.env["index"])["count"]

    def in_topic(self, name: str) -> Callable[[], float]:
        """Asks how many records a topic holds."""
        partitions = [
            TopicPartition(name, partition) for partition in self._kafka.partitions_for_topic(name) or ()
        ]
        return lambda: float(sum(self._kafka.end_offsets(partitions).values()))

    def close(self) -> None:
        """Release the connections; topics and data go with the cluster."""
        self.elasticsearch.close()
        self._kafka.close()
        self.file(0).unlink(missing_ok=True)

    def clear(self, job: Job) -> None:
        """Delete what the job has made."""
        name = job.env["index"]
        if job.client.sink == ELASTICSEARCH:
            client = self.elasticsearch.options(ignore_status=404)
            client.indices.delete(index=f"{name}-000001" if job.client.ours else name)
            client.indices.delete_index_template(name=name)
            return
        for root in (job.env["hdfs_root"], job.env["hdfs_root"] + "-checkpoint"):
            try:
                self.hdfs.delete(root, recursive=True)
            except hdfs.HdfsError:
                continue


def installed(client: Client, stage: Stage) -> str | None:
    """Install a client; None where that worked, else why not."""
    job = stage.job(client, Topic("none", 0, 0))
    try:
        client.command(job.env, job.folder)
    except NotInstalled as reason:
        return str(reason)
    finally:
        stage.clear(job)
    return None
