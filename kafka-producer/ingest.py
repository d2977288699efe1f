"""Lines from any source -> records: tweets to the topic, broken lines to the dead letters, control lines counted."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from file_replay import Line
from kafka_cluster.message import (
    ControlMessage,
    Headers,
    NotATweet,
    TweetRecord,
    refused_line_headers,
    tweet_record,
)
from progress import Progress

log = logging.getLogger(__name__)

DEAD_LETTER_BYTES = 900_000
SHOWN_REFUSALS = 10


class Writer(Protocol):
    """Where records go."""

    def send(self, record: TweetRecord) -> None: ...
    def send_dead_letter(self, value: bytes, headers: Headers) -> None: ...
    def tend(self) -> None: ...


@dataclass
class Counts:
    """What became of the lines that were read."""

    read: int = 0
    tweets: int = 0
    refused: int = 0
    control: int = 0
    empty: int = 0

    def __str__(self) -> str:
        parts = [f"{self.tweets:,} tweets", f"{self.refused:,} refused"]
        parts += [f"{self.control:,} control messages"] if self.control else []
        parts += [f"{self.empty:,} empty"] if self.empty else []
        return f"read {self.read:,} lines: {', '.join(parts)}"


class StopReading(Exception):
    """Somebody asked us to end while we waited for the next line."""


class Stopper:
    """Turns SIGINT and SIGTERM into the end of the loop: at once while waiting, else after the line at hand."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.asked = True
        if self._waiting:
            self._waiting = False
            raise StopReading

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around whatever may block and holds nothing: reading a line, sleeping."""
        self._waiting = True
        try:
            if self.asked:
                raise StopReading
            yield
        finally:
            self._waiting = False


def ingest(
    lines: Iterable[Line], writer: Writer, source: str, stopper: Stopper, progress: Progress, counts: Counts,
    rate: float | None = None, limit: int | None = None,
) -> None:  # fmt: skip
    """Send lines until they end, `limit` is reached, or the stopper says so; at most `rate` lines a second."""
    reader, started = iter(lines), time.monotonic()
    try:
        while limit is None or counts.read < limit:
            with stopper.waiting():
                if rate:
                    time.sleep(max(0.0, started + counts.read / rate - time.monotonic()))
                line = next(reader, None)
            if line is None:
                return
            counts.read += 1
            _send(line, writer, source, counts)
            if counts.read % 256 == 0 or rate:
                writer.tend()
                progress.show(counts)
    except StopReading:
        log.info("asked to end")


def _send(line: Line, writer: Writer, source: str, counts: Counts) -> None:
    if not line.content.strip():
        counts.empty += 1  # X's keep-alive
        return
    try:
        record = tweet_record(line.content, source)
    except ControlMessage:
        counts.control += 1
    except NotATweet as error:
        counts.refused += 1
        if counts.refused <= SHOWN_REFUSALS:
            log.warning("line %d is refused: %.200s%s", line.number, error, _last_shown(counts.refused))
        headers = refused_line_headers(str(error), source, line.number, line.size)
        writer.send_dead_letter(line.content[:DEAD_LETTER_BYTES], headers)
    else:
        writer.send(record)
        counts.tweets += 1


def _last_shown(refused: int) -> str:
    return " (further ones are only counted)" if refused == SHOWN_REFUSALS else ""
