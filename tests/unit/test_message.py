"""What may become a record, and that a record is the line, unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_cluster.message import (
    MAX_RECORD_BYTES,
    NotATweet,
    Origin,
    dead_letter_headers,
    dead_letter_origin,
    header,
    lost_range,
    refused_line_headers,
    timestamp_of,
    tweet_record,
)  # fmt: skip
from sample import POISON, tweet_lines


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_value_is_the_line_without_its_end(end: bytes) -> None:
    line = tweet_lines(1)[0]
    record = tweet_record(line + end, "stream")
    assert record.value == line
    assert record.key.decode() == json.loads(line)["data"]["id"]
    assert header(record.headers, "source") == "stream"
    assert header(record.headers, "received_at").endswith("Z")


@pytest.mark.parametrize("name", POISON)
def test_poison_is_no_tweet(name: str) -> None:
    with pytest.raises(NotATweet):
        tweet_record(POISON[name] or b"", "stream")


def test_a_line_over_the_topics_limit_is_refused_before_it_is_sent() -> None:
    line = b'{"data":{"id":"1","text":"%s"}}' % (b"x" * MAX_RECORD_BYTES)
    with pytest.raises(NotATweet, match="bytes, more than"):
        tweet_record(line, "stream")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tweet_or_are_not_and_nothing_else_happens(line: bytes) -> None:
    with pytest.raises(NotATweet):
        tweet_record(line, "stream")


def test_the_origin_of_a_dead_letter_can_be_read_back() -> None:
    origin = Origin("tweets", "id-1", 3, 12345)
    headers = [("source", b"stream"), *dead_letter_headers("why", "group", origin)]
    assert dead_letter_origin(headers) == origin
    assert dead_letter_origin(refused_line_headers("why", "replay", 7, 12)) is None


@pytest.mark.parametrize("offset", [b"abc", b"", b"9" * 19, "²".encode()])
def test_headers_that_somebody_else_wrote_are_no_origin_unless_they_are_numbers(offset: bytes) -> None:
    headers = [("origin_partition", b"1"), ("origin_offset", offset), ("lost_to_offset", b"2")]
    assert dead_letter_origin(headers) is None and lost_range(headers) is None
    headers = [("origin_partition", b"1"), ("origin_offset", b"0"), ("lost_to_offset", offset)]
    assert dead_letter_origin(headers) == Origin("", "", 1, 0) and lost_range(headers) is None


def test_a_time_that_no_calendar_has_is_shown_as_the_nearest() -> None:
    assert timestamp_of(1_795_000_000_123) == "2026-11-18T11:06:40.123Z"
    assert timestamp_of(1_795_000_000_000_000) == timestamp_of(2**62) == "9999-12-31T23:59:59.999Z"
    assert timestamp_of(-(2**62)) == "0001-01-01T00:00:00.000Z"
