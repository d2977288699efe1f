"""A dead letter says where it came from, whatever the record says of itself, and fits into a request."""

from types import SimpleNamespace
from typing import Any

import pytest

import dead_letter_writer
from dead_letter_topic import dead_letter
from dead_letter_writer import KEPT_BYTES, DeadLetterWriter
from kafka_cluster.kafka_options import MAX_REQUEST_BYTES
from kafka_cluster.message import Headers, Origin, header
from kafka_cluster.settings import Settings


def letter(value: bytes | None, headers: list[Any], key: bytes | None = None) -> Any:
    """What a reader of the topic understands of the letter of a record at offset 7."""
    record = SimpleNamespace(topic="tweets", partition=3, offset=7, key=key, value=value, headers=headers)
    name, kept, written = DeadLetterWriter(Settings(), "a group", "an id")._letter(record, "why")
    assert all(isinstance(content, bytes) for _, content in written), "kafka-python takes no other"
    assert len(name or b"") + len(kept or b"") + sum(len(n) + len(c) for n, c in written) < MAX_REQUEST_BYTES
    return dead_letter(SimpleNamespace(key=name, value=kept, headers=written))


@pytest.mark.parametrize(
    "headers",
    [
        [("reason", b"an older one"), ("origin_partition", b"1"), ("origin_offset", b"2"), ("group", b"x")],
        [("lost_to_offset", b"9"), ("whole_size", b"9")],
        [("origin_offset", b"abc"), ("size", b"big"), ("whole_size", b"huge"), ("lost_to_offset", b"nine")],
    ],
)
def test_a_record_that_was_a_dead_letter_once_has_the_origin_that_it_has_now(headers: Headers) -> None:
    found = letter(b"no tweet", headers)
    assert (found.origin, found.reason, found.group) == (Origin("tweets", "an id", 3, 7), "why", "a group")
    assert (found.lost, found.cut_bytes) == (None, 0)


def test_a_value_that_came_compressed_and_fits_into_no_request_is_cut_and_says_so() -> None:
    found = letter(b"x" * 3_000_000, [])
    assert (len(found.record.value), found.cut_bytes) == (KEPT_BYTES, 3_000_000 - KEPT_BYTES)


def test_a_header_without_a_value_which_kafka_allows_is_an_empty_one() -> None:
    found = letter(b"no tweet", [("trace", None), ("source", b"x")])
    assert found.record.headers[:2] == [("trace", b""), ("source", b"x")]


def test_a_key_and_headers_that_came_compressed_and_fit_into_no_request_are_cut_and_say_so() -> None:
    found = letter(b"x" * 3_000_000, [("trace", b"x" * 3_000_000), ("source", b"x")], key=b"1" * 3_000_000)
    assert header(found.record.headers, "whole_key_size") == "3000000"
    assert header(found.record.headers, "dropped_headers") == "2"
    assert (found.origin, found.reason) == (Origin("tweets", "an id", 3, 7), "why")
    assert found.record.key and not header(found.record.headers, "source")


def test_a_producer_that_failed_is_closed_whatever_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []

    def send(*_: Any, **__: Any) -> Any:
        raise TypeError("of the library's own")

    failing = SimpleNamespace(send=send, close=lambda timeout: closed.append(timeout))
    monkeypatch.setattr(dead_letter_writer, "Producer", lambda **_: failing)
    with pytest.raises(TypeError):
        DeadLetterWriter(Settings(), "a group", "an id").lost(3, range(7, 9))
    assert closed


def test_a_line_that_a_producer_cut_says_so() -> None:
    cut = dead_letter(SimpleNamespace(value=b"12345", headers=[("producer", b"replay"), ("size", b"9")]))
    assert (cut.origin, cut.cut_bytes) == (None, 4)
