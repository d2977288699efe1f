"""A partition's way through a sink: order, gaps, bounds, back-off."""

from dataclasses import dataclass

from kafka import TopicPartition

from lane import LONGEST_BACKOFF_SECONDS, RECORD_OVERHEAD_BYTES, Lane


@dataclass
class Record:
    """As much of a record as a lane looks at."""

    offset: int
    value: bytes = b"x" * 100


def lane(start: int | None = None) -> Lane:
    new = Lane(TopicPartition("tweets", 0))
    new.start_at(start)
    return new


def test_records_are_taken_in_order_and_counted_by_bytes() -> None:
    one = lane()
    assert one.add([Record(5), Record(6), Record(7)], now=1.0)
    size = 100 + RECORD_OVERHEAD_BYTES
    assert one.waiting_bytes == 3 * size
    assert [record.offset for record in one.take(2 * size, now=2.0)] == [5, 6]
    assert (one.waiting_bytes, one.writing_bytes) == (size, 2 * size)
    one.wrote(7)
    assert (one.done, one.writing_bytes) == (7, 0)


def test_a_record_larger_than_a_write_still_goes() -> None:
    one = lane()
    one.add([Record(1, b"x" * 10_000)], now=0)
    assert len(one.take(10, now=0)) == 1


def test_after_a_seek_any_offset_is_taken_later_a_gap_is_refused() -> None:
    one = lane(start=3)
    assert one.add([Record(10)], now=0), "retention may have left a hole"
    assert not one.add([Record(12)], now=0)
    assert one.add([Record(9), Record(10), Record(11)], now=0), "what was seen is dropped"
    assert [record.offset for record in one.records] == [10, 11]


def test_back_off_grows_with_jitter_and_has_a_bound() -> None:
    one = lane()
    pauses = [one.back_off(now=0) for _ in range(20)]
    assert all(0.5 <= pause <= LONGEST_BACKOFF_SECONDS for pause in pauses)
    assert len(set(pauses)) > 10
    one.start_at(0)
    assert one.failures == 0
