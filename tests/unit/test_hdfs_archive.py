"""The archive's lines and names: pure, so that no server is needed."""

import base64
import contextlib
import itertools
import json
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_reader import Piece, epoch_folders, holding
from hdfs_archive import (
    Epoch,
    date_of,
    first_offset,
    line,
    offset_of,
    piece_name,
    read_line,
    read_whole_line,
    topic_folder,
    topic_id_of,
)
from hdfs_sink import by_date
from kafka_cluster.message import header
from sample import POISON, Record, tweet_lines


def test_a_tweet_is_kept_byte_by_byte() -> None:
    value = tweet_lines(1)[0]
    written = line(Record(value))
    assert written.count(b"\n") == 1 and b'"tweet":' + value + b"}\n" in written
    assert json.loads(written)["headers"] == {"source": "stream"}
    assert offset_of(written[:-1]) == 12


@pytest.mark.parametrize("name", POISON)
def test_poison_is_kept_too_on_one_line_that_can_be_read(name: str) -> None:
    assert_kept(POISON[name])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)
VALUES = (
    st.none() | st.binary() | JSON.map(orjson.dumps) | st.sampled_from(list(POISON.values()))
    | st.sampled_from([b'{"a":{},"tweet":1}', b'{},"value_base64":"eA=="', b'"},\\"tweet\\":"'])
)  # fmt: skip
# what separates head and value, in places where it separates nothing
ODD_TEXT = TEXT | st.sampled_from(
    ['},"tweet":', '},"value_base64":null}', '"', "\\", "}", "tweet", "value_base64"]
)


@given(
    VALUES, st.none() | ODD_TEXT, st.dictionaries(ODD_TEXT, ODD_TEXT, max_size=4),
    st.integers(0, 2**63 - 1), st.integers(0, 5),
)  # fmt: skip
def test_a_line_gives_back_the_record_that_it_was_made_of(
    value: bytes | None, key: str | None, headers: dict[str, str], offset: int, partition: int
) -> None:
    record = Record(
        value, offset, partition, key=None if key is None else key.encode(),
        headers=[(name, text.encode()) for name, text in headers.items()],
    )  # fmt: skip
    written = line(record)
    assert written.count(b"\n") == 1 and written.endswith(b"\n")
    back = read_line(written[:-1], "tweets")
    assert (back.value, back.key, back.headers) == (record.value, record.key, record.headers)
    assert (back.partition, back.offset, back.timestamp) == (partition, offset, record.timestamp)
    held = sum(len(text.encode()) for pair in headers.items() for text in pair)
    assert back.size == len(value or b"") + len((key or "").encode()) + held
    assert offset_of(written[:-1]) == offset and back.topic == "tweets"


def test_of_headers_with_one_name_the_first_is_kept_which_is_the_one_that_everything_else_reads() -> None:
    headers = [("source", b"stream"), ("trace", None), ("source", b"other"), ("trace", b"1"), ("empty", None)]
    kept = json.loads(line(Record(b"{}", headers=headers)))["headers"]
    assert kept == {"source": header(headers, "source"), "trace": header(headers, "trace"), "empty": ""}


@given(VALUES, st.integers(1))
def test_a_line_that_was_cut_is_never_taken_for_another_record(value: bytes | None, cut: int) -> None:
    """Cut in the head or in a value of ours: refused. Cut in X's JSON it does not end as a line does."""
    whole = line(Record(value))[:-1]
    part = whole[: len(whole) - 1 - cut % (len(whole) - 1)]
    with contextlib.suppress(ValueError):
        orjson.loads(part)
        raise AssertionError("half a line is no JSON")
    with contextlib.suppress(ValueError, KeyError):
        assert read_line(part, "tweets").value != value
    with pytest.raises(ValueError):
        read_whole_line(part)


@pytest.mark.parametrize("number", [b"1e999", b"-1e400", b"9" * 400])
def test_a_number_that_no_double_holds_is_kept_and_read_back(number: bytes) -> None:
    """The producer refuses it; others who write into the topic may not."""
    value = b'{"data":{"id":"1","n":%s}}' % number
    written = line(Record(value))[:-1]
    assert offset_of(written) == 12 and read_whole_line(written).value == value


@given(st.binary(max_size=50))
def test_any_other_bytes_are_no_line(written: bytes) -> None:
    with pytest.raises(ValueError):
        read_line(written, "tweets")


@given(st.binary(), st.binary(max_size=5))
def test_any_value_and_key_can_be_read_back(value: bytes, key: bytes) -> None:
    assert_kept(value, key)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.data())
def test_every_offset_is_in_the_pieces_that_hold_it_and_few_others_are_read(
    sizes: list[int], data: st.DataObject
) -> None:
    """Pieces of so many records each, by their names alone."""
    firsts = list(itertools.accumulate(sizes[:-1], initial=0))
    found = [
        Piece(piece_name(first), "2026-11-25", first_offset(piece_name(first)), 1, 0) for first in firsts
    ]
    offset = data.draw(st.integers(0, sum(sizes) - 1))
    held = holding(data.draw(st.permutations(found)), offset)
    assert held[0].first <= offset < held[0].first + sizes[firsts.index(held[0].first)]
    assert [piece.first for piece in held] == [first for first in firsts if first >= held[0].first]
    assert holding(found, offset, since="2026-11-26") == []


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_names_of_pieces_sort_as_their_offsets(one: int, other: int) -> None:
    assert first_offset(piece_name(one)) == one
    assert (piece_name(one) < piece_name(other)) == (one < other)


def test_a_topics_folder_is_told_from_that_of_a_longer_name() -> None:
    id_ = str(uuid.uuid4())
    assert topic_id_of(topic_folder("", "tweets", id_)[1:], "tweets") == id_
    assert topic_id_of(topic_folder("", "tweets-eu", id_)[1:], "tweets") is None
    assert topic_id_of(topic_folder("", "tweets", "tweets")[1:], "tweets") == "tweets", "brokers without ids"
    assert topic_id_of("_staging", "tweets") is None


def assert_kept(value: bytes | None, key: bytes = b"1") -> None:
    written = line(Record(value, key=key))
    assert written.count(b"\n") == 1 and written.endswith(b"\n")
    record = json.loads(written)
    if "value_base64" in record:
        kept = record["value_base64"]
        assert (None if kept is None else base64.b64decode(kept)) == value
    else:
        assert b'"tweet":' + (value or b"") + b"}\n" in written


def test_names_sort_as_offsets_and_owners_do() -> None:
    assert piece_name(9) < piece_name(10) < piece_name(10**15)
    first = Epoch.after([])
    second = Epoch.after([first])
    assert first < second and first.sealed < second.sealed
    assert Epoch.parse(second.open) == Epoch.parse(second.sealed) == second
    assert Epoch.parse("dt=2026-11-23") is None


def test_an_epoch_that_is_there_sealed_and_open_counts_as_sealed() -> None:
    first = Epoch.after([])
    second = Epoch.after([first])
    assert epoch_folders([second.open, first.open, first.sealed, "_other"]) == [first.sealed, second.open]


def test_a_batch_over_midnight_is_split_and_a_date_never_goes_back() -> None:
    day = 86_400_000
    noon = 20_000 * day + day // 2
    records = [
        Record(b"", offset, timestamp=noon + hours * day // 24)
        for offset, hours in enumerate((0, 11, 13, 11, 40))
    ]
    parts = list(by_date(records, ""))
    assert [len(batch) for _, batch in parts] == [2, 2, 1]
    assert [date for date, _ in parts] == sorted(date for date, _ in parts)
    later = parts[-1][0]
    assert [date for date, _ in by_date(records, later)] == [later]


def test_a_time_that_no_calendar_has_stops_nothing() -> None:
    """A client wrote microseconds as its own time, before the topic took the brokers'."""
    micros = 1_795_000_000_000_000
    records = [
        Record(b"", offset, timestamp=at) for offset, at in enumerate((-(2**62), 0, micros, micros // 1000))
    ]
    assert [date for date, _ in by_date(records, "")] == ["0001-01-01", "1970-01-01", "9999-12-31"]
    assert date_of(2**62) == "9999-12-31"
