"""The way of one tweet: where each of its records is in Kafka, Elasticsearch and HDFS, and when it came there."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError
from kafka.admin import KafkaAdminClient

from archive_reader import Stored, find, partitions_of, topic_folders
from archive_reader import records as archived_records
from dead_letter_topic import dead_letters
from elasticsearch_index import connect_elasticsearch
from forgotten_list import ForgottenList
from hdfs_client import HdfsClient
from kafka_cluster.message import NotATweet, header, timestamp, timestamp_of
from kafka_cluster.plain_text import printable
from kafka_cluster.reachable import require_hdfs
from kafka_cluster.settings import READER, Settings
from kafka_cluster.topics import admin_client, topic_id
from topic_reader import log_offsets, offsets_at, records
from tweet_document import birth
from tweet_shape import read_tweet

CLOCK_MARGIN = timedelta(hours=1)  # X's clock, by which ids are made, and the brokers' may differ


@dataclass(frozen=True)
class Passed:
    """One record of the tweet. Times are ISO 8601 UTC; None where it did not come, or nothing says when."""

    topic_id: str
    partition: int
    offset: int
    leader: str | None
    created_at: str | None
    received_at: str | None
    appended_at: str
    indexed_at: str | None
    index: str | None
    dead_letter: str | None
    stored_at: str | None
    file: str | None
    line: int | None
    forgotten: bool = False

    def __str__(self) -> str:
        at, dead = self.line and f"line {self.line} of {self.file}", f"dead letter: {self.dead_letter}"
        absent = "forgotten" if self.forgotten else "NOT THERE"
        where = f"partition {self.partition}, offset {self.offset}, leader {self.leader or 'none any more'}"
        steps = (
            ("created", self.created_at, ""),
            ("received", self.received_at, ""),
            ("in the topic", self.appended_at, where),
            ("indexed", self.indexed_at, self.index or (dead if self.dead_letter else absent)),
            ("stored", self.stored_at, (at or "NOT THERE") + (", forgotten" if self.forgotten else "")),
        )
        return "\n".join(
            printable(f"  {step:<13} {when or 'not known':<25} {what}".rstrip()) for step, when, what in steps
        )


def trace(settings: Settings, id_: str, in_archive: bool) -> tuple[list[Passed], str | None]:
    """All records of a tweet, oldest first: those that Kafka has; of those it has forgotten, the archive's.

    The archive is searched where Kafka has none, or if `in_archive`; else only the pieces that hold the records.
    And since when the tweet is on the list of what was forgotten, by its id; None where it is not.
    """
    tracer = Tracer(settings, id_)
    found = sorted(tracer.run(in_archive), key=lambda each: (each.appended_at, each.partition, each.offset))
    return found, tracer.listed.posts.get(id_)


def as_json(found: list[Passed]) -> str:
    """All records, on one line."""
    return json.dumps([asdict(passed) for passed in found])


class Tracer:
    """Asks all four: Kafka, its dead letters, Elasticsearch, HDFS."""

    def __init__(self, settings: Settings, id_: str) -> None:
        require_hdfs(settings)
        self._settings, self._id = settings, id_
        self._hdfs = HdfsClient(settings)
        self._born = birth(id_)[1]
        self.listed = ForgottenList(settings).now()
        with admin_client(settings) as admin:
            self._topic_id = topic_id(admin, settings.topic)
            self._leaders = _leaders(admin, settings.topic) if self._topic_id else {}
            has_letters = topic_id(admin, settings.dead_letter_topic) is not None
        self._index, self._source = _document(connect_elasticsearch(settings, READER), settings, id_)
        self._letters = {
            (letter.origin.topic_id, letter.origin.partition, letter.origin.offset): letter.reason
            for letter in (dead_letters(settings) if has_letters else ())
            if letter.origin and not letter.lost and letter.group == settings.elasticsearch_group
        }

    def run(self, in_archive: bool) -> Iterator[Passed]:
        """All records that can be found."""
        folders = topic_folders(self._hdfs, self._settings.hdfs_root, self._settings.topic)
        # of a topic that was deleted, the archive is left
        starts, ends = log_offsets(self._settings, self._settings.topic) if self._topic_id else ({}, {})
        found = False
        for record in self._in_kafka(starts, ends):
            found = True
            folder = folders.get(self._topic_id or "")
            stored = (
                find(self._hdfs, folder, record.partition, record.topic, record.offset) if folder else None
            )
            yield self._passed(self._topic_id or "", record, stored)
        if found and not in_archive:
            return
        firsts = {tp.partition: start for tp, start in starts.items()}
        for id_, folder in folders.items():
            for partition in partitions_of(self._hdfs, folder):
                end = firsts.get(partition) if id_ == self._topic_id else None
                yield from (
                    self._passed(id_, stored.record, stored)
                    for stored in self._forgotten(folder, partition, end)
                )

    def _in_kafka(self, starts: dict, ends: dict) -> Iterator[Any]:
        if self._born and ends:  # no record of it can be older than itself
            since = int((self._born - CLOCK_MARGIN).timestamp() * 1000)
            later = offsets_at(self._settings, list(ends), since)
            starts = {tp: later.get(tp, end) for tp, end in ends.items()}
        yield from (record for record in records(self._settings, starts, ends) if self._is_it(record.value))

    def _forgotten(self, folder: str, partition: int, end: int | None) -> Iterator[Stored]:
        since = (self._born - CLOCK_MARGIN).date().isoformat() if self._born else ""
        for stored in archived_records(self._hdfs, folder, partition, self._settings.topic, since=since):
            if end is not None and stored.record.offset >= end:
                return
            if stored.record.forgotten == self._id or self._is_it(stored.record.value):
                yield stored

    def _is_it(self, value: bytes | None) -> bool:
        if not value or self._id.encode() not in value:
            return False
        try:
            return read_tweet(value).id == self._id
        except NotATweet:
            return False

    def _passed(self, topic: str, record: Any, stored: Stored | None) -> Passed:
        received = header(record.headers, "received_at")
        created = read_tweet(record.value).data.created_at if record.value else None
        if not created and self._born:
            created = timestamp(self._born)
        return Passed(
            topic, record.partition, record.offset,
            self._leaders.get(record.partition) if topic == self._topic_id else None,
            created or None, received, timestamp_of(record.timestamp),
            self._indexed_at(received), self._index,
            self._letters.get((topic, record.partition, record.offset)),
            timestamp_of(stored.piece.stored_at) if stored else None,
            stored.piece.path if stored else None, stored.line if stored else None,
            self.listed.holds(record),
        )  # fmt: skip

    def _indexed_at(self, received: str | None) -> str | None:
        """Of the record that was indexed; the others of the same tweet found it there."""
        delay = self._source.get("index_delay_ms")
        if delay is None or received is None or received != self._source.get("received_at"):
            return None
        return timestamp(datetime.fromisoformat(received) + timedelta(milliseconds=delay))


def _leaders(admin: KafkaAdminClient, topic: str) -> dict[int, str]:
    brokers = {
        broker["broker_id"]: f"broker {broker['broker_id']} at {broker['host']}:{broker['port']}"
        for broker in admin.describe_cluster()["brokers"]
    }
    partitions = admin.describe_topics([topic])[0]["partitions"]
    return {
        partition["partition_index"]: brokers[partition["leader_id"]]
        for partition in partitions
        if partition["leader_id"] in brokers
    }


def _document(client: Elasticsearch, settings: Settings, id_: str) -> tuple[str | None, dict[str, Any]]:
    try:
        found = client.get(
            index=settings.elasticsearch_alias, id=id_, source_includes=["received_at", "index_delay_ms"]
        )
    except NotFoundError:
        return None, {}
    return found["_index"], found.get("_source", {})
