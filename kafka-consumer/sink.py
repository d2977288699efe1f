"""What the poll loop asks of a sink: where records go, and how much at a time."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol


class Cancelled(Exception):
    """A write was given up because its partition is no longer ours, or the consumer ends."""


class StopLoudly(Exception):
    """Going on would lose or double records, or needs a person; the message says why. Exit code 1."""


@dataclass
class Written:
    """What became of the records of one write. Each record is counted once."""

    new: int = 0
    existing: int = 0
    dead: int = 0
    forgotten: int = 0
    """Records that `archive.py forget` has forbidden: their values go nowhere."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why records are dead letters, by kind."""

    @property
    def total(self) -> int:
        """All records of the write."""
        return self.new + self.existing + self.dead + self.forgotten

    def __iadd__(self, other: "Written") -> "Written":
        self.new += other.new
        self.existing += other.existing
        self.dead += other.dead
        self.forgotten += other.forgotten
        self.reasons += other.reasons
        return self


class Sink(Protocol):
    """One consumer group's destination. `claim`, `still_held` and `write` block, and run in worker threads."""

    name: str
    verb: str
    """What it does to a record, for people: indexed, stored."""
    fenced: bool
    """True where a partition must be claimed before anything is written, and the claim says where to go on."""
    topic_id: str
    """Of the topic whose records it takes."""
    workers: int
    """Writes at a time; of one partition there is never more than one."""
    flush_bytes: int
    """Write when this much waits, in sum over the partitions of the process, the largest first; or as much as one
    write takes in one of them."""
    flush_seconds: float
    """Write a partition's records when the oldest has waited this long."""
    max_write_bytes: int
    """The most that one write takes."""
    resent: int
    """Records that had to be sent once more within a write, so far."""

    def claim(self, partition: int) -> Any:
        """Become the owner of a partition. The claim's `next` is the offset to go on from."""

    def still_held(self, claim: Any) -> bool:
        """True if nobody has claimed the partition since."""

    def write(self, claim: Any, records: list[Any], cancelled: Event) -> Written:
        """Deliver consecutive records of one partition; returns when all are safe.

        `claim` of a sink that is not fenced: the offset that the group had committed when it was given the partition.
        """

    def close(self) -> None:
        """Release connections."""
