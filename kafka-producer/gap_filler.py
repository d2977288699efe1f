"""Fills gaps of the stream by recent search: what was tweeted while nobody was connected. It costs like the stream."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from time import time

from ingest import StopReading
from kafka_cluster.script import UserError
from search_page import Json, page_lines
from search_place import SEARCHABLE
from stream_gap import Gap, born_at, id_at
from stream_rules import Rule
from x_search import LARGEST_PAGE, NoRoom, QueryRefused, Search
from x_session import HTTP_SECONDS, X_URL

log = logging.getLogger(__name__)

AFTER_SECONDS = 45.0
"""X's search finds a tweet 30 s after it was born; and the margin behind a gap is searched too."""
MARGIN = timedelta(seconds=10)
"""X delivers a tweet some seconds after it was born, begins a little after it is connected, and clocks differ: so much
before and behind a gap may be missing too. A tweet that is read twice does no harm, and costs twice."""
LOOK_SECONDS = 0.5


class GapFiller:
    """A thread that searches each gap once it is over; `lines` holds what it found, as lines of the stream.

    `room`: how many posts may still be read, beside those that are `due`.
    """

    def __init__(
        self, token: str, rules: Sequence[Rule], gaps: Sequence[Gap], room: Callable[[], int], url: str = X_URL,
        after_seconds: float = AFTER_SECONDS,
    ) -> None:  # fmt: skip
        self._rules, self._gaps, self._room, self._after_seconds = rules, gaps, room, after_seconds
        self._search = Search(token, url, sleep=self._sleep)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gap-filler", daemon=True)
        self.lines: SimpleQueue[bytes] = SimpleQueue()
        self._asked_for = 0

    @property
    def due(self) -> int:
        """Posts that were asked for, and those in `lines`."""
        return self._asked_for + self.lines.qsize()

    def start(self) -> None:
        """Begin to look for gaps."""
        self._thread.start()

    def stop(self, patient: bool) -> None:
        """End. `patient`: wait for the answer to a request that is on its way, else it is left to itself."""
        self._stop.set()
        self._thread.join(HTTP_SECONDS if patient else 0.2)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for gap in [gap for gap in self._gaps if gap.filled is None and self._is_due(gap)]:
                self._fill(gap)

    def _is_due(self, gap: Gap) -> bool:
        return gap.until is not None and _moment(gap.until).timestamp() + self._after_seconds < time()

    def _fill(self, gap: Gap) -> None:
        try:
            found = self._searched(gap)
            log.info(
                "the gap from %s to %s is filled: %d tweets in and around it", gap.since, gap.until, found
            )
            gap.filled = True
            return
        except StopReading:
            why = "the run ended"
        except NoRoom:
            why = "max_posts is reached"
        except UserError as error:
            why = str(error)
        except Exception as error:  # the stream goes on
            why = f"{type(error).__name__}: {error}"
        self._asked_for = 0
        gap.filled = False
        log.warning("the gap from %s to %s is not filled: %s", gap.since, gap.until, why)

    def _searched(self, gap: Gap) -> int:
        until_id = id_at(_moment(gap.until or gap.since) + MARGIN)
        found: set[bytes] = set()
        refused = []
        for rule in self._rules:
            try:
                for page in self._search.pages(rule.value, _since_id(gap), until_id, self._room_left):
                    found.update(self._handed_on(page, rule))
            except QueryRefused as error:  # the stream takes rules that search does not
                self._asked_for = 0
                refused.append(f"{rule.tag}: {error}")
        if refused:
            raise UserError("; ".join(refused))
        return len(found)

    def _handed_on(self, page: Json, rule: Rule) -> list[bytes]:
        lines = page_lines(page, rule.tag)
        for line in lines:
            self.lines.put(line)
            self._asked_for -= 1  # only now: between the two its place would seem free
        self._asked_for = 0
        self._sleep(0)
        return lines

    def _room_left(self) -> int:
        room = self._room()
        self._asked_for = max(0, min(room, LARGEST_PAGE))
        return room

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StopReading


def _since_id(gap: Gap) -> str:
    """What X has surely sent before the gap, unless that is too old to be searched: X refuses it."""
    last = born_at(gap.last_id) if gap.last_id else _moment(gap.since)
    return max(id_at(last - MARGIN), id_at(datetime.now(UTC) - SEARCHABLE), key=int)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
