"""The topic of dead letters, read: what could not be delivered, why, and where it came from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka_cluster.message import Origin, dead_letter_origin, header, is_number, lost_range
from kafka_cluster.settings import Settings
from topic_reader import log_offsets, records


@dataclass(frozen=True)
class DeadLetter:
    """One of them. `record` is as it stands in the topic of dead letters; `origin`: None for a producer's.

    `lost`: the offsets of records that a group never had, where it stands for those.
    """

    record: Any
    reason: str
    group: str | None
    origin: Origin | None
    lost: range | None

    @property
    def sender(self) -> str:
        """Who could not deliver it: a group, or the producer and its source."""
        return self.group or f"producer, {header(self.record.headers, 'producer')}"

    @property
    def cut_bytes(self) -> int:
        """How many bytes of the value were left out."""
        size = header(self.record.headers, "whole_size" if self.origin else "size") or ""
        return max(0, int(size) - len(self.record.value or b"")) if is_number(size) else 0


def dead_letters(settings: Settings) -> Iterator[DeadLetter]:
    """All that are there now, in order; each origin once: a group that was killed may have written one again."""
    seen: set[tuple[str | None, Origin, range | None]] = set()
    starts, ends = log_offsets(settings, settings.dead_letter_topic)
    for record in records(settings, starts, ends):
        letter = dead_letter(record)
        if letter.origin:
            key = (letter.group, letter.origin, letter.lost)
            if key in seen:
                continue
            seen.add(key)
        yield letter


def dead_letter(record: Any) -> DeadLetter:
    """A record of that topic, understood."""
    headers = record.headers
    return DeadLetter(
        record, header(headers, "reason") or "no reason given", header(headers, "group"),
        dead_letter_origin(headers), lost_range(headers),
    )  # fmt: skip
