"""An archive in HDFS as owners left it, and what readers find in it."""

import threading
import time

from archive_compact import ArchiveCompact, Compacted
from archive_reader import Piece, partitions_of, pieces, topic_folders
from hdfs_client import HdfsClient
from hdfs_sink import HdfsSink
from kafka_cluster.topics import admin_client, topic_id
from pipeline import Pipeline
from sample import Record
from topic_guard import TopicGuard

DAY_MS = 86_400_000
GONE = "00000000-0000-0000-0000-000000000001"
"""A topic's id, for what needs HDFS alone."""


def hdfs(pipeline: Pipeline) -> HdfsClient:
    return HdfsClient(pipeline.settings)


def topic_folder(pipeline: Pipeline) -> str:
    (folder,) = topic_folders(hdfs(pipeline), pipeline.settings.hdfs_root, pipeline.settings.topic).values()
    return folder


def archived(pipeline: Pipeline) -> dict[str, list[bytes]]:
    """Every line of the archive as readers find it, by partition."""
    client, folder = hdfs(pipeline), topic_folder(pipeline)
    return {
        str(partition): [
            line
            for piece in sorted(pieces(client, folder, partition), key=lambda piece: piece.first)
            for line in content(client, piece).splitlines(keepends=True)
        ]
        for partition in partitions_of(client, folder)
    }


def content(client: HdfsClient, piece: Piece) -> bytes:
    with client.read(piece.path) as reader:
        return reader.read()


def files(pipeline: Pipeline) -> list[str]:
    """The paths of all files below the topic's folder, whether a reader looks at them or not."""
    walked = hdfs(pipeline).walk(topic_folder(pipeline))
    return [f"{folder}/{name}" for folder, _, names in walked for name in names]


def compact(pipeline: Pipeline) -> Compacted:
    return ArchiveCompact(pipeline.settings, hdfs(pipeline)).run(dry=False)


def store(pipeline: Pipeline, values: list[bytes], owners: int, batches: int = 3, partition: int = 0) -> None:
    """As by owners that took over one after another, each in so many batches, of a topic that is gone since."""
    sink = HdfsSink(pipeline.settings, TopicGuard(GONE, lambda: GONE))
    size = -(-len(values) // (owners * batches))
    for owner in range(owners):
        claim = sink.claim(partition)
        for batch in range(batches):
            start = (owner * batches + batch) * size
            some = [
                Record(value, claim.next + number, partition, int(time.time() * 1000))
                for number, value in enumerate(values[start : start + size])
            ]
            assert sink.write(claim, some, threading.Event()).new == len(some)


def store_topic(pipeline: Pipeline, owners: int) -> None:
    """What is in the topic, as by owners that took over one after another, in three batches each."""
    with admin_client(pipeline.settings) as admin:
        id_ = topic_id(admin, pipeline.settings.topic) or ""
    sink = HdfsSink(pipeline.settings, TopicGuard(id_, lambda: id_))
    found = pipeline.topic_records()
    for partition in {record.partition for record in found}:
        left = [record for record in found if record.partition == partition]
        size = -(-len(left) // (owners * 3))
        for start in range(0, len(left), size * 3):
            claim = sink.claim(partition)
            for batch in range(start, start + size * 3, size):
                sink.write(claim, left[batch : batch + size], threading.Event())
