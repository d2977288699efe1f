"""Where `--until-caught-up` ends: what a group has committed counts only where it says what is delivered."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaConnectionError, LeaderNotAvailableError

import finish_line
from finish_line import FinishLine
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from lane import Lane
from topic_guard import open_topic_guard

TP = TopicPartition("tweets", 0)
SESSION_SECONDS = 10


class Consumer:
    """Of a group that has committed `committed` with `metadata`, on a log that ends at 100."""

    config = {"session_timeout_ms": SESSION_SECONDS * 1000}  # noqa: RUF012

    def __init__(self, committed: int | None = 100, metadata: str = "id") -> None:
        self._committed = None if committed is None else OffsetAndMetadata(committed, metadata, -1)
        self.end, self.generation = 100, -1

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0}

    def end_offsets(self, tps: list[TopicPartition], **_: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, self.end)

    def committed(self, _: TopicPartition, metadata: bool = False, **__: Any) -> Any:
        return self._committed if metadata or self._committed is None else self._committed.offset

    def group_metadata(self) -> Any:
        return SimpleNamespace(generation_id=self.generation)

    def position(self, *_: Any, **__: Any) -> int:
        return self.end


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = SimpleNamespace(seconds=1_000.0)
    monkeypatch.setattr(finish_line, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def line(consumer: Consumer, fenced: bool = False) -> FinishLine:
    sink: Any = SimpleNamespace(fenced=fenced, topic_id="id")
    return FinishLine(consumer, "tweets", sink, from_beginning=False)


@pytest.mark.parametrize("metadata", ["id", ""], ids=["with the topic's id", "of an earlier version"])
def test_a_group_that_has_committed_everything_has_nothing_to_do(metadata: str) -> None:
    assert line(Consumer(100, metadata)).reached({})
    assert not line(Consumer(99, metadata)).reached({})
    assert not line(Consumer(None)).reached({})


def test_what_was_committed_of_a_topic_that_is_gone_is_not_counted() -> None:
    assert not line(Consumer(100, "the id of another topic")).reached({})


def test_offsets_beyond_the_end_of_the_log_are_not_counted_where_it_has_not_grown() -> None:
    consumer = Consumer(5_000)
    assert not line(consumer).reached({})
    finishing = line(consumer)
    consumer.end = 6_000
    assert finishing.reached({}), "others have gone on meanwhile"


def test_group_b_asks_hdfs_whatever_it_has_committed(clock: Any) -> None:
    """Its root may be new, or what was there lost: Kafka's offsets only show the lag."""
    consumer = Consumer()
    finishing = line(consumer, fenced=True)
    for _ in range(100):  # no partition was given to it yet, since it is no member
        clock.seconds += 1
        assert not finishing.reached({})
    consumer.generation = 7
    lane = Lane(TP)
    assert not finishing.reached({TP: lane}), "the claim says what is there"
    lane.start_at(100)
    clock.seconds += 1
    assert finishing.reached({TP: lane})


def test_a_process_of_group_b_that_is_given_no_partition_ends_too(clock: Any) -> None:
    """There are more processes than partitions. Those of a dead one come to it within the time of its session."""
    consumer = Consumer()
    finishing = line(consumer, fenced=True)
    consumer.generation = 7
    assert not finishing.reached({})
    clock.seconds += SESSION_SECONDS - 1
    assert not finishing.reached({})
    clock.seconds += 2
    assert finishing.reached({})


def test_where_the_log_ends_nobody_says_while_a_partition_has_no_leader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_leader(*_: Any) -> None:
        raise LeaderNotAvailableError("no leader")

    monkeypatch.setattr(FinishLine, "_end_offsets", no_leader)
    with pytest.raises(UserError, match=r"does not say where tweets ends: .*no leader.*; start again"):
        line(Consumer())


def test_brokers_that_die_while_the_topic_is_asked_for_end_a_script_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise KafkaConnectionError("broken")

    monkeypatch.setattr("kafka_cluster.topics.connect", lambda *_, **__: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr("topic_guard.wait_for_topic_id", fail)
    asked = pytest.raises(UserError, match=r"Kafka does not say .*tweets.*broken.*; start again")
    with asked, open_topic_guard(Settings()):
        pass
