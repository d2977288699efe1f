"""How far a group is: what it has committed of a topic that is gone is no progress in the one of the same name."""

from types import SimpleNamespace
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

from kafka_cluster.groups import committed_offsets, reached_offsets

TPS = [TopicPartition("tweets", number) for number in range(3)]
METADATA = ["id", "", "the id of another topic"]


def test_what_was_committed_of_a_topic_that_is_gone_is_not_counted() -> None:
    committed = {tp: OffsetAndMetadata(7, said, -1) for tp, said in zip(TPS, METADATA, strict=True)}
    admin: Any = SimpleNamespace(list_group_offsets=lambda _: {"group": committed})
    assert list(committed_offsets(admin, "group", "id").values()) == [7, 7]
    assert list(committed_offsets(admin, "group").values()) == [7, 7, 7], "where the topic's id is not known"
    assert reached_offsets(admin, "group", dict.fromkeys(TPS, 2), "id") == dict(
        zip(TPS, [7, 7, 2], strict=True)
    )
