"""Where `--until-caught-up` ends: the topic's end offsets at the start of the run."""

import time
from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from kafka_cluster.script import UserError
from lane import Lane
from sink import Sink
from starting_point import committed_offset
from topic_reader import persistently

CHECK_SECONDS = 0.3
TIMEOUT_MS = 3_000


class FinishLine:
    """Asks, not more than three times a second, whether the group has reached the end offsets read at first."""

    def __init__(self, consumer: KafkaConsumer, topic: str, sink: Sink, from_beginning: bool) -> None:
        self._consumer, self._sink, self._from_beginning = consumer, sink, from_beginning
        try:
            self._ends = self._end_offsets(topic)
        except KafkaError as error:
            raise UserError(f"Kafka does not say where {topic} ends: {error}; start again") from None
        self._next_check = 0.0
        self._idle_since: float | None = None

    def in_sight(self, lane: Lane) -> bool:
        """True if everything up to the line is buffered: no reason to wait for more before writing."""
        return (lane.expected or 0) >= self._ends.get(lane.tp, 0)

    def reached(self, lanes: Mapping[TopicPartition, Lane]) -> bool:
        """True when all partitions are there: ours by what is finished, those of others by what is committed."""
        if time.monotonic() < self._next_check:
            return False
        self._next_check = time.monotonic() + CHECK_SECONDS
        if not self._others_count(lanes):
            return False
        try:
            return all(self._reached(tp, end, lanes.get(tp)) for tp, end in self._ends.items())
        except KafkaError:
            return False

    def _others_count(self, lanes: Mapping[TopicPartition, Lane]) -> bool:
        """True where what was committed, by others or earlier, says what is delivered."""
        if self._from_beginning:
            return bool(lanes)  # what is committed was committed by an earlier reading
        if lanes or not self._sink.fenced:
            self._idle_since = None
            return True
        # What is committed may be of another root: only a claim knows what is there, and it commits that. But where
        # all partitions are others' no claim comes: as a member we are given those of the dead within a session.
        if self._consumer.group_metadata().generation_id < 0:
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or time.monotonic()
        return time.monotonic() - self._idle_since > self._consumer.config["session_timeout_ms"] / 1000

    def _reached(self, tp: TopicPartition, end: int, lane: Lane | None) -> bool:
        if lane and lane.assigned:
            if not lane.active or lane.records or lane.job:
                return False
            position = self._consumer.position(tp, timeout_ms=TIMEOUT_MS)
            return position is not None and position >= end
        committed = committed_offset(self._consumer, tp, self._sink.topic_id) or 0
        if committed <= end:
            return committed == end
        # beyond the log's end it is not of this log: whoever owns the partition stops, and says so
        return committed <= self._consumer.end_offsets([tp], timeout_ms=TIMEOUT_MS)[tp]

    @persistently
    def _end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        partitions = [TopicPartition(topic, p) for p in self._consumer.partitions_for_topic(topic) or ()]
        if not partitions:  # a broker that has just been started: of nothing all would be read
            raise UnknownTopicOrPartitionError(topic)
        return self._consumer.end_offsets(partitions)
