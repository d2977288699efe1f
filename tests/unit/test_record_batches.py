"""Our unpacking of record batches gives what kafka-python's gives, and refuses what it refuses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from kafka_cluster.script import UserError
from lane import size_of
from record_batches import PartitionRecords

TP = TopicPartition("tweets", 3)
NONE, SNAPPY, LZ4, ZSTD = 0, 2, 3, 4
ATTRIBUTES, FIRST_RECORD = 22, 61
BYTES = st.none() | st.binary(max_size=5) | st.binary(min_size=60, max_size=300)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 2**42), BYTES, BYTES, st.lists(st.tuples(st.text(max_size=70), BYTES), max_size=3)
    ),
    min_size=1, max_size=8,
)  # fmt: skip
Batch = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]


def batch(records: Batch, magic: int = 2, compression: int = LZ4, base: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(magic, compression, 1 << 20, offset=base)
    for timestamp, key, value, headers in records:
        assert builder.append(
            timestamp=timestamp, key=key, value=value, headers=headers if magic == 2 else []
        )
    builder.close()
    return bytes(builder.buffer())


def taken(kind: Any, data: bytes, start: int = 0) -> tuple[list[tuple], int, list[Any]]:
    """The records that are given from an offset on, which offset is fetched next, and whether the end was told."""
    drained: list[Any] = []
    part = kind(start, TP, MemoryRecords(data), on_drain=lambda part: drained.append(part.bytes_read > 0))
    records = part.take(2) + (part.take() if part else [])
    fields = [(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
    return fields, part.next_fetch_offset, drained


@given(st.lists(RECORDS, min_size=1, max_size=3), st.sampled_from([NONE, LZ4, ZSTD]), st.integers(0, 4))
def test_it_gives_what_the_library_gives(batches: list[Batch], compression: int, start: int) -> None:
    data, base = b"", 0
    for records in batches:
        data += batch(records, compression=compression, base=base)
        base += len(records)
    assert taken(PartitionRecords, data, start) == taken(Fetcher.PartitionRecords, data, start)


def test_it_says_from_where_on_the_log_was_read_without_a_jump() -> None:
    read: Any = {}

    def fetched(offset: int, *bases: int) -> Any:
        data = b"".join(batch([(7, b"1", b"a", [])], base=base) for base in bases)
        PartitionRecords(offset, TP, MemoryRecords(data), read=read).take()
        return read[TP].since, read[TP].next_fetch_offset

    assert fetched(5, 5, 9) == (5, 10), "between them is a hole"
    assert fetched(10, 12) == (5, 13)
    assert fetched(46, 46) == (46, 47), "the client went on where the log begins by now"
    assert fetched(47, 47) == (46, 48)
    assert fetched(20, 20) == (20, 21), "it was told to go back"


def test_it_reads_the_format_of_older_topics() -> None:
    data = batch([(7, b"1", b"a", []), (8, None, b"b", [])], magic=1)
    assert taken(PartitionRecords, data) == taken(Fetcher.PartitionRecords, data)


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(batch([(7, b"1", b"a tweet", [])], compression=NONE))
    data[-3] ^= 1
    with pytest.raises(CorruptRecordError, match="CRC"):
        taken(PartitionRecords, bytes(data))


@pytest.mark.parametrize("checked", [True, False])
def test_a_batch_that_can_not_be_unpacked_is_fetched_again_and_asked_for_no_more(checked: bool) -> None:
    """The library goes on asking what is not drained, within one poll: without end, once it has nothing more."""
    bad = bytearray(batch([(8, b"2", b"another", [])], base=1))
    bad[FIRST_RECORD] ^= 1  # without a look at the CRC it is LZ4 that complains
    drained: list[Any] = []
    data = batch([(7, b"1", b"a tweet", [])]) + bad
    part = PartitionRecords(0, TP, MemoryRecords(data), check_crcs=checked, on_drain=drained.append)
    assert [record.offset for record in part.take()] == [0] and part
    with pytest.raises(CorruptRecordError, match="tweets"):
        part.take()
    assert not part and drained == [part] and part.next_fetch_offset == 1


def test_where_the_library_for_a_codec_is_missing_the_cure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafka.codec.snappy", None)
    data = bytearray(batch([(7, b"1", b"a tweet", [])]))
    data[ATTRIBUTES] = SNAPPY
    part = PartitionRecords(0, TP, MemoryRecords(bytes(data)), check_crcs=False)
    with pytest.raises(UserError, match=r"snappy.* -m pip install"):
        part.take()
    assert not part


@given(RECORDS, st.sampled_from([1, 2]))
def test_the_size_of_a_record_is_that_of_its_key_value_and_headers(records: Batch, magic: int) -> None:
    part = PartitionRecords(0, TP, MemoryRecords(batch(records, magic, NONE)))
    for found in part.take():
        headers = [text for name, value in found.headers for text in (name.encode(), value)]
        held = sum(len(each or b"") for each in (found.key, found.value, *headers))
        assert held <= found.size <= held + 60 and size_of(found) > held


@given(st.integers(61, 100), st.integers(0, 255))
def test_a_batch_that_holds_nonsense_is_refused_and_never_an_endless_loop(at: int, byte: int) -> None:
    """Behind a CRC that is right, which only another client's mistake could make."""
    data = bytearray(
        batch([(7, b"1", b"a tweet", [("source", b"x")]), (8, b"2", b"another", [])], compression=NONE)
    )
    data[min(at, len(data) - 1)] = byte
    part = PartitionRecords(0, TP, MemoryRecords(bytes(data)), check_crcs=False)
    try:
        assert len(part.take()) <= 2
    except CorruptRecordError:
        pass


def test_a_header_whose_name_is_no_utf8_does_not_stop_the_group() -> None:
    data = batch([(7, b"1", b"a tweet", [("source", b"x")])], compression=NONE)
    assert data.count(b"source") == 1
    part = PartitionRecords(0, TP, MemoryRecords(data.replace(b"source", b"\xffource")), check_crcs=False)
    assert [record.headers for record in part.take()] == [[("\\xffource", b"x")]]
