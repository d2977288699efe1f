"""Each thing that X is known to do to a stream, by a scenario of the simulated X, read by the real tweepy over HTTP."""

import threading
import time
from itertools import pairwise
from typing import Any

import orjson
import pytest
import requests
import tweepy

import x_connection
from kafka_cluster.message import ControlMessage, tweet_record
from stream_reading import RULES, is_tweet, reader_of, rules_client, take
from stream_rules import bring_in_line
from x_session import direct
from x_simulator import DISCONNECT_TYPES, Options, Simulator
from x_stream import StreamReader

pytestmark = pytest.mark.long

ENOUGH_BYTES = 1 << 20
"""What a slow reader may leave waiting in these tests."""


@pytest.mark.parametrize(
    "options", [{"gzip": True}, {"vocabulary": "posts"}, {"gzip": True, "vocabulary": "posts"}]
)
def test_tweets_come_through_packed_and_in_the_later_words(
    readers: list[StreamReader], options: dict[str, Any]
) -> None:
    with Simulator(Options(rate=500, **options)) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 300)
    assert len(lines) == 300 and all(map(is_tweet, lines))
    assert any(b'"referenced_posts"' in line for line in lines) == ("vocabulary" in options)


def data_of(line: bytes) -> dict[str, Any]:
    return orjson.loads(line)["data"]


SIGN = {
    "apart": lambda last, odd: odd == last,
    "redelivery": lambda last, odd: odd == last,
    "withheld": lambda last, odd: data_of(odd) == data_of(last) | {"withheld": data_of(odd)["withheld"]},
    "bare": lambda last, odd: (
        orjson.loads(odd) == {"data": {key: data_of(last)[key] for key in ("id", "text")}}
    ),
    "edit": lambda last, odd: (
        data_of(odd)["edit_history_tweet_ids"][-2:] == [data_of(last)["id"], data_of(odd)["id"]]
    ),
}
"""By what one knows the odd line behind the last one."""


@pytest.mark.parametrize("kind", ["apart", "withheld", "bare", "redelivery", "edit"])
def test_lines_that_are_odd_but_tweets_come_through(readers: list[StreamReader], kind: str) -> None:
    with Simulator(Options(rate=400, limit=100, faults=[{"after": 50, "then": kind}])) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 101)
        assert (readers[0].connects, readers[0].gaps) == (1, [])
    assert len(lines) == 101 and all(map(is_tweet, lines))
    assert SIGN[kind](lines[49].rstrip(), lines[50].rstrip()), lines[50]


@pytest.mark.parametrize("fault", ["close", "cut", "half", "huge", "utf8", "problem", "disconnect"])
def test_trouble_ends_nothing_and_no_line_that_came_whole_is_lost(
    readers: list[StreamReader], fault: str
) -> None:
    with Simulator(Options(rate=400, limit=200, faults=[{"after": 50, "then": fault}])) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 200 + (fault in ("half", "huge", "utf8", "problem", "disconnect")))
        time.sleep(0.3)
        lines += take(readers[0], 5, 0.3)
        readers[0].stop()
    assert sum(map(is_tweet, lines)) >= 200 - (fault == "cut")
    if fault in ("disconnect", "problem"):
        with pytest.raises(ControlMessage):
            tweet_record(next(line for line in lines if b'"operational-disconnect"' in line), "test")
    reconnects = fault in ("close", "cut", "disconnect")
    assert readers[0].connects == 1 + reconnects
    assert len(readers[0].gaps) == reconnects and all(gap.until for gap in readers[0].gaps)


@pytest.mark.parametrize("status", [401, 402, 403, 409])
def test_what_needs_a_person_is_not_tried_again(readers: list[StreamReader], status: int) -> None:
    with Simulator(Options(faults=[{"status": status}] * 5)) as x:
        readers.append(reader_of(x))
        deadline = time.monotonic() + 5
        while readers[0].alive and time.monotonic() < deadline:
            time.sleep(0.05)
    assert readers[0].connects == 1
    assert f"HTTP {status}" in (readers[0].fatal or "") and "Refused - by the simulator" in (
        readers[0].fatal or ""
    )


def test_a_429_waits_until_x_says(readers: list[StreamReader]) -> None:
    reset = int(time.time()) + 3
    with Simulator(
        Options(rate=100, faults=[{"status": 429, "headers": {"x-rate-limit-reset": str(reset)}}])
    ) as x:
        readers.append(reader_of(x))
        assert take(readers[0], 1)
        assert time.time() >= reset - 0.5 and readers[0].connects == 2


def test_a_503_is_tried_again_until_x_is_back(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=200, faults=[{"status": 503}] * 2)) as x:
        readers.append(reader_of(x))
        assert all(map(is_tweet, take(readers[0], 20)))
        readers[0].stop()
    assert readers[0].connects == 3 and "HTTP 503" in readers[0].gaps[0].reason


@pytest.mark.parametrize("kind", DISCONNECT_TYPES)
def test_each_kind_of_disconnect_is_said_and_the_stream_goes_on(
    readers: list[StreamReader], kind: str
) -> None:
    fault = {"after": 20, "then": "disconnect", "disconnect_type": kind}
    with Simulator(Options(rate=400, limit=60, faults=[fault])) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 61)
        readers[0].stop()
    assert sum(map(is_tweet, lines)) == 60 and orjson.loads(lines[20])["errors"][0]["disconnect_type"] == kind
    assert readers[0].connects == 2 and "X ended the stream" in readers[0].gaps[0].reason


@pytest.mark.parametrize(
    ("status", "issue", "goes_on"),
    [
        (429, "TooManyConnections", True), (503, "ProvisioningSubscription", True),
        (409, "RuleConfigurationIssue", False), (400, "RulesInvalidIssue", False),
    ],
)  # fmt: skip
def test_each_connection_issue_is_waited_for_or_told(
    readers: list[StreamReader], status: int, issue: str, goes_on: bool
) -> None:
    body = {"title": "ConnectionException", "detail": issue, "connection_issue": issue}
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time()) + 2)}
    with Simulator(Options(rate=200, faults=[{"status": status, "body": body, "headers": headers}])) as x:
        readers.append(reader_of(x))
        assert len(take(readers[0], 1, 15 if goes_on else 1)) == goes_on
        readers[0].stop()
    assert readers[0].connects == 1 + goes_on
    assert issue in (readers[0].gaps[0].reason if goes_on else readers[0].fatal or "")


def test_a_stream_that_stalls_is_left_and_read_on(readers: list[StreamReader]) -> None:
    stall = {"after": 20, "then": "stall"}
    with Simulator(Options(rate=200, limit=60, keep_alive_seconds=0.3, faults=[stall])) as x:
        readers.append(reader_of(x, quiet_seconds=1.0, first_pause=2.0))
        lines = take(readers[0], 60)
        readers[0].stop()
    assert (
        sum(map(is_tweet, lines)) == 60 and readers[0].connects == 2 and "silent" in readers[0].gaps[0].reason
    )


def test_tweets_that_come_twice_or_late_come_through_as_they_were_sent(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=500, redelivered=0.1, disorder=0.2)) as x:
        readers.append(reader_of(x))
        ids = [int(tweet_record(line, "test").key) for line in take(readers[0], 1_000)]
        assert readers[0].gaps == []
    late = sum(later < earlier for earlier, later in pairwise(ids))
    assert len(ids) == 1_000 and 50 < len(ids) - len(set(ids)) < 150 and late > 100


def test_what_is_late_can_be_searched_and_nothing_of_it_is_lost(readers: list[StreamReader]) -> None:
    client = tweepy.Client("simulated", return_type=dict)
    with Simulator(Options(rate=200, redelivered=0, disorder=0.3)) as x:
        readers.append(reader_of(x))
        direct(client.session, x.url)
        first = int(tweet_record(take(readers[0], 1)[0], "test").key)
        heard = {int(tweet_record(line, "test").key) for line in take(readers[0], 400)}
        pages = tweepy.Paginator(client.search_recent_tweets, "kafka", max_results=100, since_id=first)
        found = [int(tweet["id"]) for page in pages for tweet in page["data"]]
        heard |= {int(tweet_record(line, "test").key) for line in take(readers[0], 300)}
    assert found == sorted(set(found), reverse=True) and set(found) <= heard


class Slow(tweepy.StreamingClient):
    """A client that works on each tweet where it reads, as tweepy's examples do."""

    def __init__(self, url: str) -> None:
        super().__init__("simulated", daemon=True)
        direct(self.session, url)
        self.lines: list[bytes] = []
        self.hurry, self.ended = threading.Event(), threading.Event()

    def on_data(self, raw_data: bytes) -> None:
        self.lines.append(raw_data)
        self.hurry.wait(0.02)

    def on_closed(self, response: Any) -> None:
        self.ended.set()
        self.disconnect()


def test_a_slow_reader_is_cut_off_and_one_that_only_queues_is_not(readers: list[StreamReader]) -> None:
    options = Options(rate=2_000, prebuilt=2_000, redelivered=0, most_waiting_bytes=ENOUGH_BYTES)
    with Simulator(options) as x:
        bring_in_line(rules_client(x.url), RULES)
        slow = Slow(x.url)
        thread = slow.filter(threaded=True)
        time.sleep(4)  # 8,000 tweets, of which it takes 200
        readers.append(reader_of(x))
        time.sleep(4)  # nobody takes its lines, as while Kafka is away
        assert readers[0].lines.qsize() > 4_000, "the place was free: X had left the slow one"
        assert (readers[0].connects, readers[0].gaps, readers[0].alive) == (1, [], True)
        slow.hurry.set()
        assert slow.ended.wait(10)
        thread.join(10)
    assert len(slow.lines) < 6_000 and all(map(is_tweet, slow.lines[:-1]))
    assert orjson.loads(slow.lines[-1])["errors"][0]["disconnect_type"] == "SlowReader"


def test_what_the_reader_queues_is_bounded_and_what_is_lost_by_it_is_a_gap(
    readers: list[StreamReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x_connection, "MOST_LINES", 1_000)
    options = Options(rate=2_000, prebuilt=2_000, redelivered=0, most_waiting_bytes=ENOUGH_BYTES)
    with Simulator(options) as x:
        readers.append(reader_of(x))
        time.sleep(4)
        assert readers[0].lines.qsize() == 1_000
        lines = take(readers[0], 8_000)
        [gap] = readers[0].gaps
    assert len(lines) == 8_000 and "X ended the stream" in gap.reason


def test_a_reader_that_takes_nothing_holds_a_bounded_part_of_xs_memory_and_then_no_connection() -> None:
    with Simulator(Options(rate=2_000, prebuilt=2_000, most_waiting_bytes=ENOUGH_BYTES)) as x:
        bring_in_line(rules_client(x.url), RULES)
        headers = {"authorization": "Bearer simulated"}
        with requests.get(
            f"{x.url}/2/tweets/search/stream", headers=headers, timeout=10, stream=True
        ) as deaf:
            time.sleep(4)
            sent = 0
            for chunk in deaf.iter_content(1 << 16):
                sent += len(chunk)
                assert sent < 8 * ENOUGH_BYTES
    assert sent > ENOUGH_BYTES, "what waited came, and then the stream was ended"


def test_only_one_connection_is_open_at_a_time(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=50)) as x:
        readers.append(reader_of(x))
        assert take(readers[0], 1)
        readers.append(reader_of(x))
        time.sleep(1)
        assert readers[1].lines.empty() and "maximum allowed connection" in readers[1].gaps[0].reason
        assert take(readers[0], 1) and (readers[0].connects, readers[0].gaps) == (1, []), (
            "the first is not disturbed"
        )
