"""quix-streams and its file sink, the values as they are; a file for each commit of a partition, over WebHDFS."""

import os

from hdfs import InsecureClient
from quixstreams import Application
from quixstreams.sinks import SinkBatch
from quixstreams.sinks.community.file.base import FileSink
from quixstreams.sinks.community.file.formats import Format

env = os.environ


class Lines(Format):
    """The values, one a line."""

    file_extension = ".jsonl"
    supports_append = False

    def serialize(self, batch: SinkBatch) -> bytes:
        return b"".join(item.value + b"\n" for item in batch)


class WebHdfsSink(FileSink):
    """Files in HDFS, which quix-streams has no sink for: the name is the first offset, as in its own sinks."""

    def setup(self) -> None:
        self._hdfs = InsecureClient(env["webhdfs_url"], user=env["hdfs_user"])

    def _write(self, data: bytes, batch: SinkBatch) -> None:
        self._hdfs.write(
            f"{env['hdfs_root']}/{batch.partition}/{self._filename(batch)}", data=data, overwrite=True
        )


app = Application(
    broker_address=env["bootstrap_servers"], consumer_group=env["group"], auto_offset_reset="earliest",
    commit_interval=1.0, auto_create_topics=False, loglevel="WARNING",
    consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000},
)  # fmt: skip
app.dataframe(app.topic(env["topic"], value_deserializer="bytes")).sink(WebHdfsSink(format=Lines()))
app.run()
