"""Where `--until-caught-up` ends: the topic's end offsets at the start of the run."""

import time
from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from lane import Lane
from topic_reader import persistently

CHECK_SECONDS = 0.3
TIMEOUT_MS = 3_000


class FinishLine:
    """Asks, not more than three times a second, whether the group has reached the end offsets read at first."""

    def __init__(self, consumer: KafkaConsumer, topic: str, from_beginning: bool) -> None:
        self._consumer, self._from_beginning = consumer, from_beginning
        self._ends = self._end_offsets(topic)
        self._next_check = 0.0

    def in_sight(self, lane: Lane) -> bool:
        """True if everything up to the line is buffered: no reason to wait for more before writing."""
        return (lane.expected or 0) >= self._ends.get(lane.tp, 0)

    def reached(self, lanes: Mapping[TopicPartition, Lane]) -> bool:
        """True when all partitions are there: ours by what is finished, those of others by what is committed."""
        if time.monotonic() < self._next_check:
            return False
        self._next_check = time.monotonic() + CHECK_SECONDS
        if self._from_beginning and not lanes:
            return False  # what is committed was committed by an earlier reading
        try:
            return all(self._reached(tp, end, lanes.get(tp)) for tp, end in self._ends.items())
        except KafkaError:
            return False

    def _reached(self, tp: TopicPartition, end: int, lane: Lane | None) -> bool:
        if lane and lane.assigned:
            if not lane.active or lane.records or lane.job:
                return False
            position = self._consumer.position(tp, timeout_ms=TIMEOUT_MS)
            return position is not None and position >= end
        return end == 0 or (self._consumer.committed(tp, timeout_ms=TIMEOUT_MS) or 0) >= end

    @persistently
    def _end_offsets(self, topic: str) -> dict[TopicPartition, int]:
        partitions = [TopicPartition(topic, p) for p in self._consumer.partitions_for_topic(topic) or ()]
        if not partitions:  # a broker that has just been started: of nothing all would be read
            raise UnknownTopicOrPartitionError(topic)
        return self._consumer.end_offsets(partitions)
