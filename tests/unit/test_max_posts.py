"""max_posts bounds what the stream and the search for its gaps read together, and nothing less ends the stream."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

import gap_filler
import live
from gap_filler import GapFiller
from ingest import Counts, Stopper
from kafka_cluster.message import timestamp
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing
from sample import tweet_lines
from stream_gap import Gap
from stream_rules import Rule

MOST = 60
FOUND = 5


class Lines:
    """A tweet every 5 ms to whoever asks for one; `ahead`: how many X has sent that nobody has taken."""

    ahead = 0

    def get(self, timeout: float) -> bytes:
        time.sleep(0.005)
        return tweet_lines(1)[0]

    def qsize(self) -> int:
        return self.ahead

    def empty(self) -> bool:
        return True


class Reader:
    """A stream that was cut off before it sent anything, and goes on for ever."""

    alive, connects, fatal = True, 2, None

    def __init__(self, *_: Any, **__: Any) -> None:
        self.gaps = [Gap(timestamp(), "a test", timestamp(), None, None)]
        self.lines = Lines()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.alive = False


class Search:
    """Asks for all that there is room for, and finds a few, once `answered`."""

    def __init__(self, answered: Callable[[], object]) -> None:
        self._answered = answered

    def pages(self, query: str, since_id: str, until_id: str, room: Callable[[], int]) -> Iterator[dict]:
        assert 10 <= room() < 100
        self._answered()
        yield {"data": [{"id": str(number), "text": "x"} for number in range(FOUND)]}


class Nobody:
    """Writes nowhere, tells nobody."""

    has_room, waiting = True, 0
    kept_if_it_fails = staticmethod(nullcontext)

    def send(self, outgoing: Outgoing) -> None:
        pass

    def tend(self) -> None:
        pass

    def tell(self, counts: Counts) -> None:
        pass


def read(monkeypatch: pytest.MonkeyPatch, reader: Reader, answered: Callable[[], object]) -> int:
    """How many tweets a run reads."""
    ended: list[Counts] = []

    def finish(writer: object, progress: object, counts: Counts, *_: object) -> int:
        ended.append(counts)
        return 0

    for name in ("bearer_token", "bring_in_line", "rules_client", "serve_metrics"):
        monkeypatch.setattr(live, name, lambda *_: None)
    for name in ("open_writer", "open_spill_file", "SpillingWriter", "ProducerEvents"):
        monkeypatch.setattr(live, name, lambda *_: Nobody())
    monkeypatch.setattr(live, "stop_on_signals", Stopper)
    monkeypatch.setattr(live, "finish", finish)
    monkeypatch.setattr(live, "StreamReader", lambda *_, **__: reader)
    monkeypatch.setattr(live, "GapFiller", partial(GapFiller, after_seconds=0))
    monkeypatch.setattr(gap_filler, "Search", lambda *_, **__: Search(answered))
    monkeypatch.setattr(gap_filler, "LOOK_SECONDS", 0.01)
    assert live.read_stream(Settings(), "url", [Rule("a", "a")], live.SIMULATOR, MOST, None, True) == 0
    return ended[0].tweets


def test_a_search_that_asks_for_all_that_is_left_and_finds_less_does_not_end_the_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    reader = Reader()
    assert read(monkeypatch, reader, lambda: time.sleep(0.3)) == MOST
    assert reader.gaps[0].filled is True
    assert caplog.text.count(f"max_posts ({MOST}) is reached") == 1


def test_what_a_search_may_still_find_the_stream_leaves_and_the_run_ends_once_x_has_sent_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = Reader()

    def answered() -> None:
        time.sleep(0.3)
        reader.lines.ahead = MOST
        while reader.alive:
            time.sleep(0.01)

    assert FOUND < read(monkeypatch, reader, answered) <= MOST
