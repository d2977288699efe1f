"""The archive's lines and names: pure, so that no server is needed."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_reader import epoch_folders
from hdfs_archive import Epoch, line, offset_of, piece_name
from hdfs_sink import by_date
from sample import POISON, Record, tweet_lines


def test_a_tweet_is_kept_byte_by_byte() -> None:
    value = tweet_lines(1)[0]
    written = line(Record(value))
    assert written.count(b"\n") == 1 and b'"tweet":' + value + b"}\n" in written
    assert json.loads(written)["headers"] == {"source": "stream"}
    assert offset_of(written) == 12


@pytest.mark.parametrize("name", POISON)
def test_poison_is_kept_too_on_one_line_that_can_be_read(name: str) -> None:
    assert_kept(POISON[name])


@given(st.binary(), st.binary(max_size=5))
def test_any_value_and_key_can_be_read_back(value: bytes, key: bytes) -> None:
    assert_kept(value, key)


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
