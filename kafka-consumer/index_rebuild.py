"""A new index beside the one behind the alias: filled from Kafka or HDFS while the stream goes on, then switched to.

1. The new index gets an alias of this run's own, and is written to by that name only: a run whose index was removed
   by a later one can neither write nor switch any more.
2. It is filled from the source, then from Kafka until little is left.
3. Where Kafka goes on is noted in the index; then one `_aliases` call takes the alias from the old index to the new
   one, and this run's own alias away. It fails as a whole if either has moved.
4. Kafka is read on to the end offsets of that moment: group A put what it read before into the old index. Then the
   note is removed. A run that finds it there does only this.

Killed before 3 it leaves an index that the next run removes, after it one that the next run finishes.
"""

import logging
import re
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from threading import Event
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch, NotFoundError
from kafka import TopicPartition
from kafka.errors import KafkaError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from archive_reader import partitions_of, topic_folders
from archive_reader import records as archived_records
from batches import batches
from elasticsearch_index import ensure_index
from elasticsearch_sink import ElasticsearchSink
from forgotten_list import ForgottenList
from hdfs_client import HdfsClient
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from lane import size_of
from rebuild_letters import RebuildLetters
from sink import Cancelled, Written
from topic_guard import TopicGuard, Unclear
from topic_reader import Offsets, log_offsets, records

log = logging.getLogger(__name__)

LITTLE = 2_000  # records left to read when the alias moves
BATCH_BYTES = 2 << 20
REPORT_SECONDS = 5.0


class IndexRebuild:
    """One run. `letters` makes the writer of dead letters of a topic id."""

    def __init__(
        self, settings: Settings, client: Elasticsearch, guard: TopicGuard, letters: RebuildLetters
    ) -> None:
        self._settings, self._client, self._guard, self._letters = settings, client, guard, letters
        self._forgotten = ForgottenList(settings)
        self._alias, self._topic = settings.elasticsearch_alias, settings.topic
        self._filling = f"{self._alias}-filling-{uuid.uuid4().hex}"
        self._target: tuple[str, Event] = (self._filling, StillFilling(client, self._filling))
        self._next: Offsets = {}
        self._lacking = False  # something that Kafka has forgotten
        self._written, self._reported_at = Written(), time.monotonic()

    def run(self, source: str, drop_old: bool) -> str:
        """Rebuild from `kafka` or `hdfs`; returns what was done, in words."""
        ensure_index(self._client, self._settings)
        old = self._behind_the_alias()
        if self._unfinished(old):
            return self._finish(old)
        self._remove_leftovers()
        new = self._create()
        log.info("rebuild: %s is filled from %s; %s stays behind the alias meanwhile", new, source, old)
        if source == "hdfs":
            self._read_archive()
        self._say_what_is_forgotten(source)
        self._catch_up()
        self._switch(old, new)
        self._read_on()
        self._client.indices.put_mapping(index=new, meta={})
        return self._compare(old, new, drop_old)

    # the index

    def _behind_the_alias(self) -> str:
        indices = sorted(self._client.indices.get_alias(name=self._alias))
        if len(indices) != 1:
            raise UserError(f"the alias {self._alias} must stand for one index, not for {', '.join(indices)}")
        return indices[0]

    def _remove_leftovers(self) -> None:
        for name in sorted(self._client.indices.get_alias(name=f"{self._alias}-filling-*")):
            log.warning("rebuild: %s is removed, which an earlier run left unfinished", name)
            self._client.indices.delete(index=name)

    def _create(self) -> str:
        names = self._client.indices.get(index=f"{self._alias}-*", features="aliases", expand_wildcards="all")
        numbers = [
            int(m[1]) for name in names if (m := re.fullmatch(rf"{re.escape(self._alias)}-(\d+)", name))
        ]
        new = f"{self._alias}-{max(numbers, default=0) + 1:06d}"
        self._client.indices.create(index=new, aliases={self._filling: {}})
        return new

    def _switch(self, old: str, new: str) -> None:
        note = {str(tp.partition): offset for tp, offset in self._next.items()}
        move = [
            {"remove": {"index": old, "alias": self._alias, "must_exist": True}},
            {"remove": {"index": new, "alias": self._filling, "must_exist": True}},
            {"add": {"index": new, "alias": self._alias, "is_write_index": True}},
        ]
        indices = self._client.options(request_timeout=70).indices
        try:  # by our own alias: a later run may have made another index of the same name
            indices.refresh(index=self._filling)
            indices.put_mapping(
                index=self._filling, meta={"rebuild": {"topic_id": self._guard.topic_id, "next": note}}
            )
            answer = indices.update_aliases(actions=move, timeout="60s")
        except NotFoundError:
            raise UserError(f"{new} is not taken: another rebuild went on in its place") from None
        if not answer["acknowledged"]:  # by every node: until then one may put tweets into the old index
            raise UserError(f"not every node knows yet that {self._alias} is {new}: run it again, to the end")
        self._target = self._alias, Event()
        log.info("rebuild: the alias %s stands for %s now", self._alias, new)

    def _compare(self, old: str, new: str, drop_old: bool) -> str:
        self._client.indices.refresh(index=f"{old},{new}")
        was, now = (self._client.count(index=name)["count"] for name in (old, new))
        done = f"{self._alias} is {new} now: {now:,} tweets, {self._written.dead:,} records are dead letters"
        if self._written.forgotten:
            done += f", {self._written.forgotten:,} are forgotten"
        if not drop_old:
            return f"{done}; {old} ({was:,} tweets) is kept"
        if now < was:
            return f"{done}; {old} is kept all the same: it has {was - now:,} tweets more"
        if self._lacking:  # what has come since may be more than what is missing
            return (
                f"{done}; {old} ({was:,} tweets) is kept all the same: it may have what Kafka has forgotten"
            )
        self._client.indices.delete(index=old)
        return f"{done}; {old} ({was:,} tweets) is deleted"

    # an earlier run that was killed between the switch and its end

    def _unfinished(self, index: str) -> dict[str, Any]:
        mapping = self._client.indices.get_mapping(index=index)[index]["mappings"]
        return mapping.get("_meta", {}).get("rebuild", {})

    def _finish(self, index: str) -> str:
        note = self._unfinished(index)
        log.warning("rebuild: an earlier run ended right after the switch to %s; what it left is read", index)
        if note["topic_id"] == self._guard.topic_id:
            self._next = {TopicPartition(self._topic, int(p)): offset for p, offset in note["next"].items()}
            self._target = self._alias, Event()
            self._read_on()
        self._client.indices.put_mapping(index=index, meta={})
        return f"{index} is complete now; run the same again for another rebuild"

    # records

    def _read_archive(self) -> None:
        client = HdfsClient(self._settings)
        for id_, folder in topic_folders(client, self._settings.hdfs_root, self._topic).items():
            for partition in partitions_of(client, folder):
                found = archived_records(client, folder, partition, self._topic)
                following = self._index((stored.record for stored in found), id_)
                if id_ == self._guard.topic_id:
                    self._next |= following

    def _say_what_is_forgotten(self, source: str) -> None:
        starts, _ = log_offsets(self._settings, self._topic)
        for tp, start in sorted(starts.items()):
            if start > self._next.get(tp, 0):
                self._lacking = True
                log.warning(
                    "rebuild: Kafka has forgotten offsets %d to %d of partition %d, %s", self._next.get(tp, 0),
                    start - 1, tp.partition,
                    "which HDFS lacks too" if source == "hdfs" else "--from hdfs may have them",
                )  # fmt: skip
            self._next[tp] = max(start, self._next.get(tp, 0))

    def _catch_up(self) -> None:
        """Read Kafka to its end offsets, again and again until little has come meanwhile."""
        self._read_on()
        while self._left(log_offsets(self._settings, self._topic)[1]) > LITTLE:
            self._read_on()

    def _read_on(self) -> None:
        """Read Kafka to its present end offsets."""
        _, ends = log_offsets(self._settings, self._topic)
        if self._left(ends):
            self._next |= self._index(records(self._settings, self._next, ends), self._guard.topic_id)

    def _left(self, ends: Offsets) -> int:
        return sum(max(0, end - self._next.get(tp, 0)) for tp, end in ends.items())

    def _index(self, found: Iterable[Any], topic_id: str) -> Offsets:
        """Index records; returns what comes next in each partition."""
        name, cancelled = self._target
        sink = ElasticsearchSink(
            replace(self._settings, elasticsearch_alias=name), self._client, self._letters.of(topic_id),
            self._guard, self._forgotten, live=False,
        )  # fmt: skip
        following: Offsets = {}
        for batch in batches(found, BATCH_BYTES, size_of):
            try:
                self._written += _write(sink, batch, cancelled)
            except Cancelled:
                raise UserError(
                    "this rebuild's index is gone: another rebuild went on in its place"
                ) from None
            following |= {TopicPartition(self._topic, r.partition): r.offset + 1 for r in batch}
            self._report()
        return following

    def _report(self) -> None:
        if time.monotonic() - self._reported_at > REPORT_SECONDS:
            self._reported_at = time.monotonic()
            log.info("rebuild: %s tweets", f"{self._written.new:,}")


# A broker that has died can't say whether the topic is still the same: its successor can, soon.
@retry(
    retry=retry_if_exception_type((Unclear, KafkaError)),
    stop=stop_after_delay(60),
    wait=wait_fixed(0.5),
    reraise=True,
)
def _write(sink: ElasticsearchSink, batch: list[Any], cancelled: Event) -> Written:
    return sink.write(None, batch, cancelled)


class StillFilling(Event):
    """Ends a sink's waiting once this run's alias is gone: then no waiting brings it back."""

    def __init__(self, client: Elasticsearch, alias: str) -> None:
        super().__init__()
        self._client, self._name = client, alias

    def wait(self, timeout: float | None = None) -> bool:
        """Wait; True if a later run has removed the index."""
        time.sleep(timeout or 0)
        try:
            return not self._client.indices.exists_alias(name=self._name)
        except (TransportError, ApiError):  # away, or starting
            return False
