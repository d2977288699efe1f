"""A dead letter says where it came from, whatever the record says of itself, and fits into a request."""

from types import SimpleNamespace
from typing import Any

import pytest

from dead_letter_topic import dead_letter
from dead_letter_writer import KEPT_BYTES, DeadLetterWriter
from kafka_cluster.message import Headers, Origin
from kafka_cluster.settings import Settings


def letter(value: bytes | None, headers: Headers) -> Any:
    """What a reader of the topic understands of the letter of a record at offset 7."""
    record = SimpleNamespace(topic="tweets", partition=3, offset=7, key=None, value=value, headers=headers)
    _, kept, written = DeadLetterWriter(Settings(), "a group", "an id")._letter(record, "why")
    return dead_letter(SimpleNamespace(value=kept, headers=written))


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


def test_a_line_that_a_producer_cut_says_so() -> None:
    cut = dead_letter(SimpleNamespace(value=b"12345", headers=[("producer", b"replay"), ("size", b"9")]))
    assert (cut.origin, cut.cut_bytes) == (None, 4)
