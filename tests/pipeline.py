"""A pipeline of a test's own: topic, groups, alias and HDFS root, on a cluster that others use too."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from elasticsearch_index import connect_elasticsearch, index_template
from hdfs_client import HdfsClient
from kafka_cluster.kafka_options import consumer_options, producer_options
from kafka_cluster.message import timestamp
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings, load_settings
from kafka_cluster.topics import admin_client, ensure_topics, topic_id
from pipeline_audit import Report, audit
from topic_reader import log_offsets

BROKERS = ("kafka1", "kafka2", "kafka3")
SCRIPTS = {
    "producer.py": ROOT / "kafka-producer" / "producer.py",
    "consumer.py": ROOT / "kafka-consumer" / "consumer.py",
    "audit.py": ROOT / "kafka-consumer" / "audit.py",
    "archive.py": ROOT / "kafka-consumer" / "archive.py",
    "dead_letters.py": ROOT / "kafka-consumer" / "dead_letters.py",
    "preview.py": ROOT / "kibana-dashboards" / "preview.py",
}


class Pipeline:
    """Settings with names of their own, and the scripts run with them."""

    def __init__(self, cluster_env: dict[str, str], folder: Path) -> None:
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.env = cluster_env | {
            "topic": name,
            "elasticsearch_group": f"{name}-elasticsearch",
            "hdfs_group": f"{name}-hdfs",
            "elasticsearch_alias": name,
            "events_index": f"events-{name}",
            "hdfs_root": f"/tests/{name}",
            "hdfs_flush_seconds": "1",
            "session_timeout_seconds": "6",
            "spill_folder": str(folder / "spill"),
        }
        self.settings: Settings = load_settings(folder / "no.env", self.env)
        self.processes: list[subprocess.Popen[str]] = []

    def run(
        self, script: str, *args: str, timeout: float = 120, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        return self.run_file(SCRIPTS[script], *args, timeout=timeout, **env)

    def run_file(
        self, script: Path, *args: str, timeout: float = 120, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """The same for any file of Python."""
        return subprocess.run(
            [sys.executable, str(script), *args], env=os.environ | self.env | env, cwd=self.folder,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def start(self, script: str, *args: str, **env: str) -> "subprocess.Popen[str]":
        """Start a script; what still runs is killed after the test. Its output goes to a file: `log`."""
        return self.start_file(SCRIPTS[script], *args, **env)

    def start_file(self, script: Path, *args: str, **env: str) -> "subprocess.Popen[str]":
        """The same for any file of Python."""
        log = self.folder / f"{script.name}-{len(self.processes)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, str(script), *args], env=os.environ | self.env | env,
                cwd=self.folder, stdout=out, stderr=out, text=True,
            )  # fmt: skip
        process.log = log  # type: ignore[attr-defined]
        self.processes.append(process)
        return process

    def send(self, values: list[bytes | None], seconds: float = 30) -> None:
        """Put raw values into the topic, past the producer's checks; Kafka has so long to take each."""
        ensure_topics(self.settings)
        headers = [("source", b"test"), ("received_at", timestamp().encode())]
        with contextlib.closing(KafkaProducer(**producer_options(self.settings))) as producer:
            futures = [
                producer.send(self.settings.topic, value, b"key" if value is None else None, headers=headers)
                for value in values
            ]
            for future in futures:
                future.get(timeout=seconds)

    def topic_records(self, topic: str | None = None) -> list[Any]:
        """Everything that is in the topic, in order of partition and offset."""
        consumer = KafkaConsumer(**consumer_options(self.settings, None))
        topic = topic or self.settings.topic
        partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        records: list[Any] = []
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                records += batch
        consumer.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def forget(self, keep: int = 0) -> int:
        """Let Kafka delete all records but the last few of each partition, as retention does; returns how many."""
        starts, ends = log_offsets(self.settings, self.settings.topic)
        new = {tp: max(starts[tp], end - keep) for tp, end in ends.items()}
        with admin_client(self.settings) as admin:
            admin.delete_records(new)
        wait_until(lambda: log_offsets(self.settings, self.settings.topic)[0] == new)
        return sum(new.values()) - sum(starts.values())

    def make_topic_anew(self) -> None:
        """Delete the topic of tweets, and make it again."""
        self.delete_topic()
        ensure_topics(self.settings)

    def delete_topic(self) -> None:
        """Delete the topic of tweets."""
        with admin_client(self.settings) as admin:
            admin.delete_topics([self.settings.topic])
            wait_until(lambda: topic_id(admin, self.settings.topic) is None)
        time.sleep(2)  # until the other brokers have heard of it

    def topic_has(self, records: int) -> bool:
        """True when so many records are in the topic."""
        with contextlib.suppress(KafkaError, UserError):
            consumer = KafkaConsumer(**consumer_options(self.settings, None))
            try:
                partitions = consumer.partitions_for_topic(self.settings.topic) or ()
                ends = consumer.end_offsets([TopicPartition(self.settings.topic, p) for p in partitions])
                return sum(ends.values()) >= records
            finally:
                consumer.close()
        return False

    def topic_values(self) -> list[bytes]:
        """The values in the topic."""
        return [record.value for record in self.topic_records()]

    def make_refusing_index(self) -> None:
        """An index whose `lang` is a number: it refuses every tweet that has one."""
        alias = self.settings.elasticsearch_alias
        mappings = index_template(self.settings)["template"]["mappings"]
        mappings["properties"]["lang"] = {"type": "long"}
        connect_elasticsearch(self.settings).indices.create(
            index=f"{alias}-000001", mappings=mappings, aliases={alias: {"is_write_index": True}}
        )

    def catch_up(self) -> Report:
        """Run both groups to the topic's present end, then audit."""
        done = self.run("consumer.py", "--until-caught-up")
        assert done.returncode == 0, done.stderr
        return audit(self.settings)

    def audit(self) -> Report:
        """Compare the three places."""
        return audit(self.settings)

    def tidy(self) -> None:
        """End what the test started; remove what it made."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        with contextlib.suppress(Exception), admin_client(self.settings) as admin:
            admin.delete_topics([self.settings.topic, self.settings.dead_letter_topic])
            admin.delete_groups([self.settings.elasticsearch_group, self.settings.hdfs_group])
        with contextlib.suppress(Exception):
            client = connect_elasticsearch(self.settings)
            for name in (self.settings.elasticsearch_alias, self.settings.events_index):
                for index in client.indices.get(
                    index=f"{name}-*", expand_wildcards="all"
                ):  # it deletes by name only
                    client.indices.delete(index=index)
                client.options(ignore_status=404).indices.delete_index_template(name=name)
        with contextlib.suppress(Exception):
            HdfsClient(self.settings).delete(self.settings.hdfs_root, recursive=True)


def wait_until(what: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again and again until it is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@contextlib.contextmanager
def brokers_away(cluster: Any) -> Iterator[None]:
    """All three frozen, for less than a session with ZooKeeper lasts."""
    for name in BROKERS:
        cluster.suspend(name)
    try:
        yield
    finally:
        for name in BROKERS:
            cluster.resume(name)


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """The script ended with exit code 2 and said so much, without a traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for text in said:
        assert text in done.stderr, done.stderr


def events(pipeline: Pipeline, event: str) -> list[dict[str, Any]]:
    """What the pipeline has said about itself, of one kind."""
    client = connect_elasticsearch(pipeline.settings)
    index = f"{pipeline.settings.events_index}-*"
    client.indices.refresh(index=index)
    found = client.search(index=index, size=1000, query={"term": {"event": event}})
    return [hit["_source"] for hit in found["hits"]["hits"]]
