"""How tests read a simulated X: the producer's own reader, and a client that is as slow as its user makes it."""

import time
from queue import Empty
from typing import Any

import tweepy

from kafka_cluster.message import NotATweet, tweet_record
from kafka_cluster.settings import Settings
from stream_rules import Rule, bring_in_line
from x_session import bearer_token, direct
from x_simulator import Simulator
from x_stream import StreamReader

KEYS = Settings(api_key="key", api_secret="secret")
RULES = [Rule("everything", "everything")]


def rules_client(url: str) -> tweepy.StreamingClient:
    """A client that may change the rules there."""
    client = tweepy.StreamingClient(bearer_token(KEYS, url), return_type=dict)
    direct(client.session, url)
    return client


def reader_of(x: Simulator, **options: Any) -> StreamReader:
    """A reader that has begun to read everything."""
    bring_in_line(rules_client(x.url), RULES)
    reader = StreamReader("simulated", x.url, **{"first_pause": 0.05} | options)
    reader.start()
    return reader


def take(reader: StreamReader, count: int, seconds: float = 15) -> list[bytes]:
    """The next lines, as many as there are before the seconds are over."""
    deadline, lines = time.monotonic() + seconds, []
    while len(lines) < count and time.monotonic() < deadline:
        try:
            lines.append(reader.lines.get(timeout=0.2))
        except Empty:
            pass
    return lines


def take_until_it_ends(reader: StreamReader) -> None:
    """Wait until the reader gives up."""
    deadline = time.monotonic() + 60
    while reader.alive:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_tweet(line: bytes) -> bool:
    """Whether the line would become a record."""
    try:
        tweet_record(line, "test")
    except NotATweet:
        return False
    return True
