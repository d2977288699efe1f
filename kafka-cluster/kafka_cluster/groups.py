"""How far a consumer group is, asked of the brokers."""

from collections.abc import Iterable, Mapping

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError

Offsets = Mapping[TopicPartition, int]
TIMEOUT_MS = 3_000


def of_this_topic(metadata: str, topic_id: str) -> bool:
    """Whether an offset that was committed with this metadata says something about the topic with this id.

    One of a topic of the same name that is gone does not; other tools commit without metadata.
    """
    return metadata in ("", topic_id)


def committed_offsets(admin: KafkaAdminClient, group: str, topic_id: str | None = None) -> Offsets:
    """What the group has committed; nothing for one that has never been there. Raises KafkaError.

    With the topic's id, without what was committed of one of the same name that is gone, which says nothing.
    """
    try:
        committed = admin.list_group_offsets({group: None}).get(group, {})
    except CoordinatorNotAvailableError:  # no group has ever committed in this cluster
        return {}
    return {
        tp: max(0, entry.offset)
        for tp, entry in committed.items()
        if topic_id is None or of_this_topic(entry.metadata, topic_id)
    }


def reached_offsets(
    admin: KafkaAdminClient, group: str, starts: Offsets, topic_id: str | None = None
) -> Offsets:
    """Its committed offsets, or the log's start where that is higher (what is gone is no lag). Raises KafkaError."""
    committed = committed_offsets(admin, group, topic_id)
    return {tp: max(start, committed.get(tp, 0)) for tp, start in starts.items()}


def log_offsets(admin: KafkaAdminClient, topic: str) -> tuple[Offsets, Offsets]:
    """Where the log of each partition starts, and where it ends. Raises KafkaError."""
    found = admin.describe_topics([topic])[0]["partitions"]
    tps = [TopicPartition(topic, partition["partition_index"]) for partition in found]
    return offsets(admin, tps, OffsetSpec.EARLIEST), offsets(admin, tps, OffsetSpec.LATEST)


def offsets(
    admin: KafkaAdminClient, tps: Iterable[TopicPartition], spec: OffsetSpec
) -> dict[TopicPartition, int]:
    """Where the log of each of these partitions starts or ends, by their leaders. Raises KafkaError."""
    found = admin.list_partition_offsets(dict.fromkeys(tps, spec), timeout_ms=TIMEOUT_MS)
    return {tp: each.offset for tp, each in found.items()}


def lag(ends: Offsets, committed: Offsets) -> int:
    """Records below the end offsets that are not committed."""
    return sum(max(0, end - committed.get(tp, 0)) for tp, end in ends.items())
