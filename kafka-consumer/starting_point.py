"""Where a partition is gone on with: what the sink or the group has, compared with what Kafka still has."""

from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition

from kafka_cluster.groups import of_this_topic
from lane import Lane
from sink import Sink

KAFKA_TIMEOUT_MS = 3_000  # of what is asked in the poll thread; the client's own default is up to 305 s


class BeyondEnd(Exception):
    """What was read before goes further than the log."""


def committed_offset(consumer: KafkaConsumer, tp: TopicPartition, topic_id: str) -> int | None:
    """What the group has committed of this topic: of one of the same name that is gone, it says nothing."""
    found = consumer.committed(tp, metadata=True, timeout_ms=KAFKA_TIMEOUT_MS)
    if found is None:
        return None
    return found.offset if of_this_topic(found.metadata, topic_id) else 0


class StartingPoint:
    """`tell_lost` is called with a partition and the offsets that the group never had and never will."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        sink: Sink,
        from_beginning: bool,
        tell_lost: Callable[[int, range], None],
    ) -> None:
        self._consumer, self._sink, self._tell_lost = consumer, sink, tell_lost
        self._from_beginning = from_beginning
        self._read_again: set[TopicPartition] = set()

    def of(self, lane: Lane, committed: int | None) -> int:
        """The offset to seek to, where the group has committed this. Raises BeyondEnd; KafkaError without brokers."""
        tp, timeout = lane.tp, KAFKA_TIMEOUT_MS
        first = self._consumer.beginning_offsets([tp], timeout_ms=timeout)[tp]
        end = self._consumer.end_offsets([tp], timeout_ms=timeout)[tp]
        again = self._from_beginning and tp not in self._read_again
        self._read_again.add(tp)
        if again and not self._sink.fenced:
            return first
        following = self._following(lane, committed)
        if following is None:  # a new group
            return end if self._consumer.config["auto_offset_reset"] == "latest" else first
        if following > end:
            raise BeyondEnd(f"partition {tp.partition} goes on at {following}, the log ends at {end}")
        lost = range(max(following, committed or 0), first)
        if lost:
            self._tell_lost(tp.partition, lost)
        return first if again else max(following, first)

    def _following(self, lane: Lane, committed: int | None) -> int | None:
        if self._sink.fenced:
            return lane.claim.next
        return committed if lane.done is None else lane.done
