"""Recent search and the filling of gaps by the real tweepy, over HTTP, against the simulated X."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gap_filler import GapFiller
from ingest import StopReading
from kafka_cluster.message import timestamp, tweet_record
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from search_page import page_ids
from stream_gap import Gap
from stream_rules import Rule, bring_in_line, rules_client
from x_search import NoRoom, Search
from x_session import bearer_token
from x_simulator import Options, Simulator
from x_stream import StreamReader

PLENTY = 1 << 30


class PretendedTime:
    """A clock that goes on by what is waited, at once."""

    def __init__(self) -> None:
        self.now, self.waited, self.patient = time.time(), list[float](), True

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.waited.append(seconds)
            if not self.patient:
                raise StopReading
        self.now += seconds


def search_of(x: Simulator, clock: PretendedTime) -> Search:
    return Search("simulated", x.url, sleep=clock.sleep, now=lambda: clock.now)


def ids(pages: list[dict[str, Any]]) -> list[int]:
    return [id_ for page in pages for id_ in page_ids(page)]


@pytest.fixture(scope="module")
def x() -> Iterator[Simulator]:
    """A simulated X with more than 250 tweets that can be searched."""
    with Simulator(Options(rate=500, redelivered=0)) as x:
        list(search_of(x, PretendedTime()).pages("a", None, None, room))
        time.sleep(1)
        yield x


def room() -> int:
    return PLENTY


def test_every_tweet_between_two_ids_is_found_once_newest_first(x: Simulator) -> None:
    everything = ids(list(search_of(x, PretendedTime()).pages("a", None, None, room)))
    assert len(everything) > 250 and everything == sorted(set(everything), reverse=True)
    since, until = everything[-20], everything[20]
    between = ids(list(search_of(x, PretendedTime()).pages("a", str(since), str(until), room)))
    assert between == [id_ for id_ in everything if since < id_ < until]


@pytest.mark.parametrize("posts", [250, 255, 9])
def test_never_more_is_read_than_there_is_room_and_no_id_twice(x: Simulator, posts: int) -> None:
    found: list[int] = []
    with pytest.raises(NoRoom):
        for page in search_of(x, PretendedTime()).pages("a", None, None, lambda: posts - len(found)):  # noqa: B023
            found += page_ids(page)
    assert posts - 10 < len(found) <= posts and len(set(found)) == len(found)


def test_trouble_that_passes_is_waited_out_and_the_limit_is_obeyed() -> None:
    clock = PretendedTime()
    reset = str(int(clock.now) + 700)
    left = {"x-rate-limit-remaining": "3", "x-rate-limit-reset": reset}
    faults: list[dict[str, Any]] = [
        {"status": 503}, {"status": 500}, {"status": 429, "headers": left},
        {"status": 429, "headers": left | {"x-rate-limit-remaining": "0"}},
    ]  # fmt: skip
    with Simulator(Options(rate=100, search_faults=faults, searches=7)) as x:
        search = search_of(x, clock)
        assert list(search.pages("a", None, None, room))
        short, longer, minute, until_reset = clock.waited
        assert short <= 1 < longer <= 2 and 59 <= minute <= 61 and 600 < until_reset <= 701 - minute
        clock.waited.clear()
        for _ in range(2):
            assert list(search.pages("a", None, None, room))
        clock.patient = False
        with pytest.raises(StopReading):
            list(search.pages("a", None, None, room))
        assert len(clock.waited) == 1 and clock.waited[0] <= 901, "X said that none was left: none was asked"


@pytest.mark.parametrize(
    ("status", "said"), [(400, "rule or query"), (401, "api_key"), (402, "credit"), (403, "access level")]
)
def test_what_needs_a_person_is_said_in_x_words(status: int, said: str) -> None:
    with (
        Simulator(Options(search_faults=[{"status": status}] * 9)) as x,
        pytest.raises(UserError, match=said) as e,
    ):
        list(search_of(x, PretendedTime()).pages("a", None, None, room))
    assert "Refused - by the simulator" in str(e.value)


def filled(gap: Gap, filler: GapFiller) -> list[bytes]:
    deadline = time.monotonic() + 20
    while gap.filled is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return [filler.lines.get() for _ in range(filler.lines.qsize())]


def test_what_the_stream_missed_is_found_by_search() -> None:
    cut = [{"after": 40, "then": "cut"}]
    with Simulator(Options(rate=200, redelivered=0, search_lag_seconds=1, faults=cut)) as x:
        bring_in_line(rules_client("simulated", x.url), [Rule("a", "a")])
        reader = StreamReader("simulated", x.url, first_pause=4, fill=True)
        filler = GapFiller("simulated", [Rule("a", "the rule")], reader.gaps, room, x.url, after_seconds=2)
        reader.start()
        filler.start()
        while not reader.gaps or reader.lines.qsize() < 60:
            time.sleep(0.05)
        [gap] = reader.gaps
        found = filled(gap, filler)
        reader.stop()
        filler.stop(patient=False)
        heard = [reader.lines.get() for _ in range(reader.lines.qsize())]
        keys = [int(tweet_record(line, "").key) for line in heard if line.endswith(b"}")]
        last, first_after = int(gap.last_id or 0), min(key for key in keys if key > int(gap.last_id or 0))
        there = ids(list(search_of(x, PretendedTime()).pages("a", str(last), str(first_after), room)))
    assert gap.filled is True and found
    searched = [int(tweet_record(line, "search").key) for line in found]
    missed = [key for key in searched if last < key < first_after]
    assert len(searched) == len(set(searched)) and min(searched) < last, "a margin before the gap too"
    assert missed and set(missed).isdisjoint(keys), "nobody had heard them"
    assert set(missed) == set(there), "up to the end of the gap"
    assert all(b'"matching_rules":[{"tag":"the rule"}]' in line for line in found)


@pytest.mark.parametrize(
    ("options", "posts", "said"),
    [(Options(search_faults=[{"status": 403}]), PLENTY, "by the simulator"), (Options(), 5, "max_posts")],
)
def test_a_gap_that_can_not_be_filled_is_said_and_the_stream_goes_on(
    caplog: pytest.LogCaptureFixture, options: Options, posts: int, said: str
) -> None:
    gap = Gap(timestamp(), "a test", timestamp(), None, None)
    with Simulator(options) as x:
        filler = GapFiller("simulated", [Rule("a", "a")], [gap], lambda: posts, x.url, after_seconds=0)
        filler.start()
        assert filled(gap, filler) == [] and gap.filled is False
        filler.stop(patient=False)
    assert said in caplog.text and filler.due == 0


def test_no_secret_is_in_a_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    secrets = {"api_key": "canary-key", "api_secret": "canary-secret", "token": "canary-token"}
    for name in ("", "tweepy", "urllib3", "requests", "x_stream"):
        caplog.set_level(logging.DEBUG, name)
    keys = Settings(api_key=secrets["api_key"], api_secret=secrets["api_secret"])
    faults: list[dict[str, Any]] = [{"after": 3, "then": "close"}, {"status": 403}]
    with Simulator(Options(rate=100, token=secrets["token"], faults=faults)) as x:
        token = bearer_token(keys, x.url)
        assert token == secrets["token"]
        bring_in_line(rules_client(token, x.url), [Rule("a", "a")])
        reader = StreamReader(token, x.url)
        reader.start()
        assert list(Search(token, x.url).pages("a", None, None, room))
        with pytest.raises(UserError):
            list(Search("wrong-canary", x.url).pages("a", None, None, room))
        while reader.alive:
            time.sleep(0.05)
    assert "urllib3" in {record.name.split(".")[0] for record in caplog.records}, "libraries did log"
    assert "canary" not in caplog.text
