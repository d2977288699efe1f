"""A partition's way through a sink: order, gaps, bounds, back-off."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition

from lane import LONGEST_BACKOFF_SECONDS, RECORD_OVERHEAD_BYTES, Lane


@dataclass
class Record:
    """As much of a record as a lane looks at."""

    offset: int
    value: bytes = b"x" * 100

    @property
    def size(self) -> int:
        return len(self.value)


def lane(start: int = 0) -> Lane:
    new = Lane(TopicPartition("tweets", 0))
    new.start_at(start)
    return new


def test_records_are_taken_in_order_and_counted_by_bytes() -> None:
    one = lane(start=5)
    assert one.add([Record(5), Record(6), Record(7)], now=1.0)
    size = 100 + RECORD_OVERHEAD_BYTES
    assert one.waiting_bytes == 3 * size
    assert [record.offset for record in one.take(2 * size, now=2.0)] == [5, 6]
    assert (one.waiting_bytes, one.writing_bytes) == (size, 2 * size)
    one.wrote(7)
    assert (one.done, one.writing_bytes) == (7, 0)


def test_a_record_larger_than_a_write_still_goes() -> None:
    one = lane(start=1)
    one.add([Record(1, b"x" * 10_000)], now=0)
    assert len(one.take(10, now=0)) == 1


def test_a_gap_is_refused_right_after_a_start_too() -> None:
    """Retention may delete what was not read yet, and the client goes on behind it without a word."""
    one = lane(start=10)
    assert not one.add([Record(46)], now=0)
    one.stop()
    one.start_at(46)
    assert one.add([Record(46)], now=0)
    assert not one.add([Record(48)], now=0)
    assert one.add([Record(45), Record(46), Record(47)], now=0), "what was seen is dropped"
    assert [record.offset for record in one.records] == [46, 47]


def read(since: int, until: int) -> Any:
    return SimpleNamespace(since=since, next_fetch_offset=until)


def test_gaps_in_what_was_read_without_a_jump_are_holes_in_the_log() -> None:
    """Transactions and compaction leave them, as many as they like."""
    one = lane(start=5)
    assert one.add([Record(5), Record(6), Record(9), Record(12)], 0, read(5, 14))
    assert one.add([Record(15), Record(17)], 0, read(5, 18))
    assert not one.add([Record(21), Record(22)], 0, read(20, 23)), "the client has jumped"
    assert [record.offset for record in one.records] == [5, 6, 9, 12, 15, 17]


def test_back_off_grows_with_jitter_and_has_a_bound() -> None:
    one = lane()
    pauses = [one.back_off(now=0) for _ in range(20)]
    assert all(0.5 <= pause <= LONGEST_BACKOFF_SECONDS for pause in pauses)
    assert len(set(pauses)) > 10
    one.start_at(0)
    assert one.failures == 0
