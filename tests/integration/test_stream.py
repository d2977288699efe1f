"""The real tweepy against a server that speaks X's wire format, and misbehaves as X does."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
import requests
import tweepy

from kafka_cluster.message import ControlMessage, NotATweet, tweet_record
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings
from stream_rules import Rule, bring_in_line, read_rules
from x_session import bearer_token, redirect
from x_simulator import Options, Simulator
from x_stream import CONNECTS, StreamReader

KEYS = Settings(api_key="key", api_secret="secret")
RULES = [Rule("everything", "everything")]


def rules_client(url: str) -> tweepy.StreamingClient:
    client = tweepy.StreamingClient(bearer_token(KEYS, url), return_type=dict)
    redirect(client.session, url)
    return client


def reader_of(x: Simulator, **options: Any) -> StreamReader:
    bring_in_line(rules_client(x.url), RULES)
    reader = StreamReader("simulated", x.url, **{"first_pause": 0.05} | options)
    reader.start()
    return reader


def take(reader: StreamReader, count: int, seconds: float = 15) -> list[bytes]:
    deadline, lines = time.monotonic() + seconds, []
    while len(lines) < count and time.monotonic() < deadline:
        try:
            lines.append(reader.lines.get(timeout=0.2))
        except Empty:
            pass
    return lines


@pytest.fixture
def readers() -> Iterator[list[StreamReader]]:
    started: list[StreamReader] = []
    yield started
    for reader in started:
        reader.stop()


def is_tweet(line: bytes) -> bool:
    try:
        tweet_record(line, "test")
    except NotATweet:
        return False
    return True


def test_tweets_come_through_as_they_were_sent(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=500)) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 300)
    assert len(lines) == 300 and all(map(is_tweet, lines))


@pytest.mark.parametrize("fault", ["close", "cut", "half", "huge", "utf8", "disconnect"])
def test_trouble_ends_nothing_and_no_line_that_came_whole_is_lost(
    readers: list[StreamReader], fault: str
) -> None:
    with Simulator(Options(rate=400, limit=200, faults=[{"after": 50, "then": fault}])) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 200 + (fault in ("half", "huge", "utf8", "disconnect")))
        time.sleep(0.3)
        lines += take(readers[0], 5, 0.3)
        readers[0].stop()
    assert sum(map(is_tweet, lines)) >= 200 - (fault == "cut")
    if fault == "disconnect":
        with pytest.raises(ControlMessage):
            tweet_record(next(line for line in lines if b'"errors"' in line), "test")
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


def test_a_silent_stream_is_left(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=200, limit=20, keep_alive_seconds=60)) as x:
        readers.append(reader_of(x, quiet_seconds=1.0))
        assert len(take(readers[0], 20)) == 20
        time.sleep(2.5)
        assert readers[0].connects >= 2 and "silent" in readers[0].gaps[0].reason


def test_keep_alives_hold_a_quiet_stream(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=200, limit=20, keep_alive_seconds=0.3)) as x:
        readers.append(reader_of(x, quiet_seconds=1.0))
        assert len(take(readers[0], 20)) == 20
        time.sleep(2.5)
        assert readers[0].connects == 1


def test_connects_stay_below_what_x_allows(readers: list[StreamReader]) -> None:
    with Simulator(Options(faults=[{"status": 503}] * 500)) as x:
        readers.append(reader_of(x, first_pause=0.0001))
        time.sleep(2)
    assert 3 < readers[0].connects <= CONNECTS


def test_a_stop_ends_it_within_two_seconds_in_any_state(readers: list[StreamReader]) -> None:
    for options in (
        Options(rate=50),
        Options(limit=0, keep_alive_seconds=60),
        Options(faults=[{"status": 503}] * 9),
    ):
        with Simulator(options) as x:
            reader = reader_of(x, first_pause=10)
            time.sleep(1)
            started = time.monotonic()
            reader.stop()
            assert time.monotonic() - started < 2 and not reader.alive


def test_only_one_connection_is_open_at_a_time(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=50)) as x:
        readers.append(reader_of(x))
        assert take(readers[0], 1)
        second = requests.get(f"{x.url}/2/tweets/search/stream", timeout=5)
    assert second.status_code == 429 and "TooManyConnections" in second.text


def test_rules_are_brought_in_line_and_refusals_are_shown() -> None:
    with Simulator() as x:
        client = rules_client(x.url)
        bring_in_line(client, [Rule("kafka", "a"), Rule("python", "b")])
        bring_in_line(client, [Rule("kafka", "a"), Rule("rust", "c")])
        assert {rule["value"] for rule in client.get_rules()["data"]} == {"kafka", "rust"}
        with pytest.raises(UserError, match="must be 1 to"):
            bring_in_line(client, [Rule("x" * 2_000, "long")])


def test_search_gives_pages_newest_first(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=500, limit=60)) as x:
        readers.append(reader_of(x))
        sent = [int(tweet_record(line, "test").key) for line in take(readers[0], 60)]
        client = tweepy.Client("simulated", return_type=dict)
        redirect(client.session, x.url)
        since = sorted(sent)[9]
        pages = list(tweepy.Paginator(client.search_recent_tweets, "kafka", max_results=25, since_id=since))
    found = [int(tweet["id"]) for page in pages for tweet in page["data"]]
    assert set(found) == {id_ for id_ in sent if id_ > since} and len(pages) == 2
    assert found == sorted(found, reverse=True)


def test_keys_that_do_not_do_are_named() -> None:
    with pytest.raises(UserError, match="api_key and api_secret"):
        bearer_token(Settings(access_token="t", access_token_secret="s"), "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rule"),
        ("kafka\n", "line 1"),
        (f"tag: {'x' * 1_100}", "1,100 characters"),
        (None, "can't read the rules"),
    ],
)
def test_a_rules_file_that_can_not_be_used(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "rules.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_rules(str(path))


def test_the_example_of_rules_can_be_used() -> None:
    assert len(read_rules("rules.example.txt")) == 3


def test_the_guard_bites_on_stream(tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_text("a: kafka\n")
    env = {"never_contact_x": "1", "api_key": "k", "api_secret": "s", "rules_file": str(rules)}
    script = str(ROOT / "kafka-producer" / "producer.py")
    done = subprocess.run(
        [sys.executable, script, "stream"], env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "must not contact X" in done.stderr, done.stderr
    assert "cost at most 5.00 dollars" in done.stderr, "said before anything is asked of X"
