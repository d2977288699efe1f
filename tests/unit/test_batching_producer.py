"""Our way into kafka-python's batches writes what its own way writes, into the same partitions."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.errors import IllegalStateError, KafkaTimeoutError
from kafka.partitioner.default import murmur2 as murmur2_of_the_library
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.sender import Sender
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from batching_producer import BatchingProducer, add, murmur2

LZ4 = 3
LED = SimpleNamespace(leader_id=1)
HEADERS = st.lists(st.tuples(st.text(max_size=70), st.binary(max_size=200)), max_size=3)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 2**42),
        st.none() | st.binary(max_size=90),
        st.binary(max_size=300) | st.just(b"x" * 9000),
        HEADERS,
    ),
    min_size=1,
    max_size=8,
)


@given(RECORDS, st.integers(100, 3_000))
def test_it_writes_what_the_library_writes(records: list[tuple], batch_size: int) -> None:
    ours, theirs = (MemoryRecordsBuilder(2, LZ4, batch_size) for _ in range(2))
    for record in records:
        assert add(ours, *record) == bool(theirs.append(*record)), "what has no room goes into the next batch"
        assert (ours.size_in_bytes(), ours.is_full()) == (theirs.size_in_bytes(), theirs.is_full())
        assert ours.next_offset() == theirs.next_offset()
    for builder in (ours, theirs):
        builder.set_producer_state(7, 1, 40, False)
        builder.close()
    assert ours.buffer() == theirs.buffer()
    assert not add(ours, *records[0]), "it is on its way"


@given(st.binary(max_size=60))
def test_a_key_has_the_hash_that_all_clients_give_it(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_the_library(key)


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchingProducer]:
    """One that sends nothing, and knows of a topic with three partitions."""
    monkeypatch.setattr(Sender, "start", lambda _: None)
    monkeypatch.setattr(Sender, "join", lambda _, __: None)
    monkeypatch.setattr(Sender, "is_alive", lambda _: False)
    producer = BatchingProducer(
        bootstrap_servers="127.0.0.1:1", max_block_ms=50, batch_size=2_000, linger_ms=0, api_version=(3, 9)
    )
    producer._metadata._partitions = {"tweets": dict.fromkeys(range(3), LED)}
    told: list[tuple[list[int], BaseException | None]] = []
    producer.settled = lambda numbers, error: told.append((numbers, error))
    producer.told = told  # type: ignore[attr-defined]
    yield producer
    producer.close(timeout=0)


def batches_of(producer: Any, place: TopicPartition) -> list[ProducerBatch]:
    return list(producer._accumulator._batches[place])


def records_of(batch: ProducerBatch) -> list[tuple]:
    batch.records.close()
    found = [record for each in MemoryRecords(batch.records.buffer()) for record in each]
    return [(record.key, record.value, record.headers) for record in found]


def test_records_of_one_key_are_in_one_partition_in_order_and_settled_by_the_batch(producer: Any) -> None:
    for number in range(30):
        producer.append("tweets", b"value %d" % number + b"x" * 90, b"1", [("source", b"test")], number)
    [place] = [place for place, batches in producer._accumulator._batches.items() if batches]
    assert place.partition == producer._partition("tweets", None, b"1", b"", b"1", b"")
    first, second = batches_of(producer, place)
    assert producer._accumulator._incomplete.all() in ([first, second], [second, first])
    written = records_of(first) + records_of(second)
    assert written == [
        (b"1", b"value %d" % number + b"x" * 90, [("source", b"test")]) for number in range(30)
    ]
    assert len(first._record_futures) == first.record_count < 30
    first.complete(100, -1)
    second.complete_exceptionally(TimeoutError("away"), lambda _: TimeoutError("away"))
    (done, none), (failed, error) = producer.told
    assert (done + failed, none) == (list(range(30)), None) and isinstance(error, TimeoutError)


def test_a_batch_that_the_library_splits_is_settled_in_parts(producer: Any) -> None:
    place = TopicPartition("tweets", producer._partition("tweets", None, b"1", b"", b"1", b""))
    for number in range(5):
        producer.append("tweets", b"x", b"1", [], number)
    [whole] = batches_of(producer, place)
    producer._accumulator._batches[place].clear()
    whole.records.close()
    producer._accumulator.split_and_reenqueue(whole)
    for batch in batches_of(producer, place):
        batch.complete(0, -1)
    assert sorted(number for numbers, _ in producer.told for number in numbers) == list(range(5))


def test_a_record_without_a_key_goes_anywhere(producer: Any) -> None:
    for number in range(100):
        producer.append("tweets", b"x", None, [], number)
    assert {place.partition for place, batches in producer._accumulator._batches.items() if batches} == {
        0,
        1,
        2,
    }


def test_partitions_that_are_new_are_used(producer: Any) -> None:
    producer.append("tweets", b"x", b"1", [], 0)
    producer._metadata._partitions = {"tweets": dict.fromkeys(range(50), LED)}
    producer.append("tweets", b"x", b"7", [], 1)
    wanted = TopicPartition("tweets", producer._partition("tweets", None, b"7", b"", b"7", b""))
    assert batches_of(producer, wanted) and wanted.partition >= 3


def test_a_topic_that_is_not_there_and_a_closed_producer_are_errors_that_say_so(producer: Any) -> None:
    with pytest.raises(KafkaTimeoutError, match="Failed to update metadata"):
        producer.append("nothing", b"x", b"1", [], 0)
    producer.close(timeout=0)
    with pytest.raises(IllegalStateError):
        producer.append("tweets", b"x", b"1", [], 0)
