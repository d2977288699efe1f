"""One partition on its way through a sink: what is buffered, what is being written, what is finished."""

import math
import random
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from kafka import TopicPartition

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 8.0
RECORD_OVERHEAD_BYTES = 120


@dataclass
class Lane:
    """The state of one assigned partition. There is at most one job (claim or write) at a time.

    `done`: every record below this offset is finished; `expected`: the offset that comes next from Kafka; both None
    before the first start. `beyond_end`: starts in a row at an offset that the log does not have yet.
    """

    tp: TopicPartition
    assigned: bool = True
    active: bool = False
    claim: Any = None
    job: Future | None = None
    due_at: float = 0.0
    failures: int = 0
    beyond_end: int = 0
    expected: int | None = None
    done: int | None = None
    committed: int | None = None
    records: deque = field(default_factory=deque)
    waiting_bytes: int = 0
    writing_bytes: int = 0
    oldest_at: float = 0.0
    cancelled: Event = field(default_factory=Event)

    def start_at(self, offset: int) -> None:
        """Take records from here on."""
        self.active, self.failures, self.beyond_end = True, 0, 0
        self.done = self.expected = offset
        self._clear()

    def stop(self) -> None:
        """Take no more records; what is buffered is Kafka's again."""
        self.active = False
        self._clear()

    def add(self, records: Iterable[Any], now: float, read: Any = None) -> bool:
        """Buffer records, once started. False where some are missing: nothing is taken then before a new start.

        The start compares with where the log begins, and tells what was lost. A gap in the offsets of what was read
        (PartitionRecords) without a jump is a hole in the log itself, which transactions and compaction leave.
        """
        since = math.inf if read is None else read.since
        for record in records:
            if record.offset < self.expected:
                continue
            if record.offset > self.expected < since:  # type: ignore[operator]
                return False
            if not self.records:
                self.oldest_at = now
            self.expected = record.offset + 1
            self.records.append(record)
            self.waiting_bytes += size_of(record)
        return True

    def pass_hole(self, read: Any) -> None:
        """Where all is finished: what was read without a jump may end in a hole of the log, a transaction's marker."""
        if read is None or not self.active or self.job or self.records or self.done != self.expected:
            return
        if read.since <= self.expected < read.next_fetch_offset:
            self.done = self.expected = read.next_fetch_offset

    def take(self, max_bytes: int, now: float) -> list[Any]:
        """Remove the oldest records for a write: at least one, and no more than `max_bytes` otherwise."""
        batch: list[Any] = []
        while self.records and (not batch or self.writing_bytes + size_of(self.records[0]) <= max_bytes):
            record = self.records.popleft()
            self.writing_bytes += size_of(record)
            batch.append(record)
        self.waiting_bytes -= self.writing_bytes
        self.oldest_at = now
        return batch

    def wrote(self, end: int) -> None:
        """A write of everything below `end` is finished."""
        self.writing_bytes = 0
        self.done = end

    def back_off(self, now: float) -> float:
        """Put off the next claim: 0.5 to 8 s with jitter; returns the seconds."""
        self.failures += 1
        longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2**self.failures)
        pause = random.uniform(FIRST_BACKOFF_SECONDS, longest)
        self.due_at = now + pause
        return pause

    def _clear(self) -> None:
        self.records.clear()
        self.waiting_bytes = self.writing_bytes = 0


def size_of(record: Any) -> int:
    """About the bytes that a record occupies on its way: value, key, headers."""
    return record.size + RECORD_OVERHEAD_BYTES
