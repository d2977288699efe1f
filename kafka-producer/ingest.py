"""Lines from any source -> records: tweets to the topic, broken lines to the dead letters, control lines counted."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from file_replay import Line
from kafka_cluster.message import (
    ControlMessage,
    NotATweet,
    refused_line_headers,
    tweet_record,
)
from kafka_cluster.pipeline_events import reason_class
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing, dead_letter, tweet
from progress import Progress

log = logging.getLogger(__name__)

DEAD_LETTER_BYTES = 900_000
SHOWN_REFUSALS = 10
ROOM_SECONDS = 0.01
TEND_SECONDS = 0.25


class Redeliveries:
    """Which tweets came again: X promises each at least once. Remembers the last 100,000 ids."""

    def __init__(self, remembered: int = 100_000) -> None:
        self._order: deque[bytes] = deque(maxlen=remembered)
        self._ids: set[bytes] = set()

    def seen(self, id_: bytes) -> bool:
        """True if this id came before, among those remembered."""
        if id_ in self._ids:
            return True
        if len(self._order) == self._order.maxlen:
            self._ids.discard(self._order[0])
        self._order.append(id_)
        self._ids.add(id_)
        return False


class Writer(Protocol):
    """Where records go."""

    @property
    def has_room(self) -> bool: ...
    def send(self, outgoing: Outgoing) -> None: ...
    def tend(self) -> None: ...


@dataclass
class Counts:
    """What became of the lines that were read."""

    read: int = 0
    tweets: int = 0
    refused: int = 0
    control: int = 0
    empty: int = 0
    redelivered: int = 0
    last_tweet_at: float = 0.0
    """When the last tweet was read, in seconds since 1970."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why lines were refused, by kind."""

    def __str__(self) -> str:
        parts = [f"{self.tweets:,} tweets", f"{self.refused:,} refused"]
        parts += [f"{self.control:,} control messages"] if self.control else []
        parts += [f"{self.empty:,} empty"] if self.empty else []
        parts += [f"{self.redelivered:,} delivered again"] if self.redelivered else []
        return f"read {self.read:,} lines: {', '.join(parts)}"


class StopReading(Exception):
    """Somebody asked us to end while we waited for the next line."""


class Stopper:
    """Turns SIGINT and SIGTERM into the end of the loop: at once while waiting, else after the line at hand.

    A context, around whatever may block for long and holds nothing: reading a file's line, sleeping.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.asked = True
        if self._waiting:
            self._waiting = False
            raise StopReading

    def __enter__(self) -> None:
        self._waiting = True
        if self.asked:
            self._waiting = False
            raise StopReading

    def __exit__(self, *_: object) -> None:
        self._waiting = False


class Ingest:
    """Sends lines from one source; `counts` says what became of them.

    `tell` is given the counts now and then, `bill` each tweet, parsed.
    """

    def __init__(
        self, settings: Settings, writer: Writer, source: str, stopper: Stopper, progress: Progress,
        tell: Callable[[Counts], None] = lambda _: None, bill: Callable[[dict], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._settings, self._writer, self._source = settings, writer, source
        self._stopper, self._progress, self._tell = stopper, progress, tell
        self._bill = bill
        self._redeliveries = Redeliveries()
        self._tended_at = 0.0
        self.counts = Counts()

    def run(
        self, lines: Iterable[Line | None], rate: float | None = None, limit: int | None = None,
        room: Callable[[], int] | None = None, at_hand: bool = False,
    ) -> None:  # fmt: skip
        """Send until the lines end, a limit is reached, or the stopper says so; at most `rate` lines a second.

        `room`: how many tweets may still be read. None among the lines means that nothing came just now. `at_hand`: a
        line or None comes within a moment; then taking one is never interrupted, else one that was taken may be lost.
        """
        reader, started, counts = iter(lines), time.monotonic(), self.counts
        try:
            while (limit is None or counts.read < limit) and (room is None or room() > 0):
                if not self._writer.has_room:
                    self._wait_for_room()
                with self._stopper:
                    if rate:
                        time.sleep(max(0.0, started + counts.read / rate - time.monotonic()))
                    line = None if at_hand else next(reader)
                if at_hand:
                    line = next(reader)
                if line is not None:
                    self.send(line)
                if line is None or rate or counts.read % 256 == 0 or self._is_untended():
                    self._look_after()
        except StopIteration:
            pass
        except StopReading:
            log.info("asked to end")

    def _is_untended(self) -> bool:
        return time.monotonic() - self._tended_at > TEND_SECONDS

    def _look_after(self) -> None:
        self._tended_at = time.monotonic()
        self._writer.tend()
        self._progress.show(self.counts)
        self._tell(self.counts)

    def _wait_for_room(self) -> None:
        while not self._writer.has_room:
            self._writer.tend()
            self._progress.show(self.counts)
            with self._stopper:
                time.sleep(ROOM_SECONDS)

    def send(self, line: Line) -> None:
        """Send one line to where it belongs."""
        counts = self.counts
        counts.read += 1
        if not line.content.strip():
            counts.empty += 1  # X's keep-alive
            return
        source = line.source or self._source
        try:
            record = tweet_record(line.content, source)
        except ControlMessage:
            counts.control += 1
            if counts.control <= SHOWN_REFUSALS:
                log.warning("a message, not a tweet: %.300s", line.content.decode("utf-8", "replace").strip())
        except NotATweet as error:
            counts.refused += 1
            counts.reasons[reason_class(str(error))] += 1
            if counts.refused <= SHOWN_REFUSALS:
                log.warning("line %d is refused: %.200s%s", line.number, error, _last_shown(counts.refused))
            headers = refused_line_headers(str(error), source, line.number, line.size)
            self._writer.send(dead_letter(self._settings, line.content[:DEAD_LETTER_BYTES], headers))
        else:
            self._writer.send(tweet(self._settings, record))
            self._bill(record.payload)
            counts.tweets += 1
            counts.last_tweet_at = time.time()
            counts.redelivered += self._redeliveries.seen(record.key)


def _last_shown(refused: int) -> str:
    return " (further ones are only counted)" if refused == SHOWN_REFUSALS else ""
