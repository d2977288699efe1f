"""What is forgotten, and what a line of the archive is like afterwards: pure, so that no server is needed."""

import contextlib
import io
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from requests.exceptions import ConnectionError as Broken

from archive_reader import Piece, lines
from archive_run import chunks
from forgotten_posts import Forgotten, entry, from_entries, read_ids
from hdfs_archive import line, offset_of, read_line, without_value
from kafka_cluster.script import ROOT, UserError
from sample import POISON, Record, tweet_lines

ON_THE_LIST = Forgotten({"7": "2026-11-26T00:00:00.000Z"}, {"70": "2026-11-26T00:00:00.000Z"})
PLAIN = {"id": "1", "text": "?", "author_id": "10"}
OTHER = {"id": "2", "author_id": "20"}


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"id": "7"}},
        {"data": PLAIN | {"author_id": "70"}},
        {"data": PLAIN | {"edit_history_tweet_ids": ["7", "1"]}},
        {"data": PLAIN | {"edit_history_post_ids": ["7", "1"]}},
        {"data": PLAIN, "includes": {"tweets": [OTHER, {"id": "7"}]}},
        {"data": PLAIN, "includes": {"posts": [OTHER, {"id": "7"}]}},
        {"data": PLAIN, "includes": {"tweets": [OTHER | {"author_id": "70"}]}},
        {"data": PLAIN | {"referenced_tweets": [{"type": "retweeted", "id": "7"}]}},
        {"data": PLAIN | {"referenced_posts": [{"type": "reposted", "id": "7"}]}},
    ],
)
def test_a_record_that_carries_a_post_of_the_list_is_forgotten(value: dict[str, Any]) -> None:
    assert ON_THE_LIST.id_in(json.dumps(value).encode()) == value["data"]["id"]
    assert ON_THE_LIST.holds(Record(json.dumps(value, indent=1).encode())), "whatever white space it has"
    assert not Forgotten({"8": ""}, {"80": ""}).holds(Record(json.dumps(value).encode()))
    assert not Forgotten().holds(Record(json.dumps(value).encode()))


@pytest.mark.parametrize(
    "value",
    [
        {"data": PLAIN},
        {"data": PLAIN | {"text": '"id":"7" 7 70', "conversation_id": "7", "in_reply_to_user_id": "70"}},
        {
            "data": PLAIN
            | {"referenced_tweets": [{"type": "quoted", "id": "7"}, {"type": "replied_to", "id": "7"}]}
        },
        {"data": PLAIN, "includes": {"users": [{"id": "70"}, {"id": "7"}], "tweets": [OTHER]}},
        {"data": PLAIN | {"id": 7, "author_id": 70}, "includes": [7]},
        {"data": {"id": "70", "author_id": "7"}},
    ],
)
def test_a_record_that_only_speaks_of_it_stays(value: dict[str, Any]) -> None:
    assert not ON_THE_LIST.holds(Record(json.dumps(value).encode()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.sampled_from(["7", "70", "id", "retweeted"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "id", "author_id", "includes", "tweets", "posts", "referenced_tweets", "type"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON.map(orjson.dumps) | st.binary(max_size=40) | st.sampled_from(list(POISON.values())))
def test_no_value_is_too_odd_to_be_asked(value: bytes | None) -> None:
    assert ON_THE_LIST.id_in(value) is None or b'"7' in (value or b"")


IDS = st.text("0123456789", min_size=1, max_size=20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(IDS, TEXT, st.none() | st.binary(max_size=20), st.booleans(), st.integers(0, 2**63 - 1))
def test_a_line_without_its_value_is_as_long_and_has_all_else(
    id_: str, text: str, key: bytes | None, on_two_lines: bool, offset: int
) -> None:
    value = json.dumps({"data": {"id": id_, "text": text}}, indent=1 if on_two_lines else None).encode()
    record = Record(value, offset, key=key, headers=[("source", text.encode())])
    whole = line(record)[:-1]
    assert (b"value_base64" in whole) is on_two_lines
    emptied = without_value(whole, id_)
    before, after = read_line(whole, "tweets"), read_line(emptied, "tweets")
    assert len(emptied) == len(whole) and offset_of(emptied) == offset and b"\n" not in emptied
    assert (after.value, after.forgotten, before.forgotten) == (None, id_, None)
    for name in ("topic", "partition", "offset", "timestamp", "key", "headers"):
        assert getattr(after, name) == getattr(before, name)
    assert read_line(line(record, id_)[:-1], "tweets") == after, "as group B writes it in the first place"
    with pytest.raises(ValueError):
        read_line(emptied[:-1], "tweets")


def test_the_smallest_tweet_leaves_room() -> None:
    for value in (b'{"data":{"id":"1"}}', b'{"data":{}}', b'{"data":{\n}}'):
        whole = line(Record(value))[:-1]
        assert len(without_value(whole, "1" if b"1" in value else "")) == len(whole)


@given(st.lists(st.tuples(st.lists(IDS), st.lists(IDS)), max_size=5))
def test_the_list_is_the_sum_of_its_entries(runs: list[tuple[list[str], list[str]]]) -> None:
    known, written = Forgotten(), []
    for number, (posts, users) in enumerate(runs):
        fresh = known.fresh(posts, users)
        written.append(entry(*fresh, f"2026-11-26T00:00:0{number}.000Z"))
        known = from_entries(written)
    assert set(known.posts) == {id_ for posts, _ in runs for id_ in posts}
    assert set(known.users) == {id_ for _, users in runs for id_ in users}
    assert from_entries(written[::-1] + written) == known, "in whatever order, and as often as they are read"


@given(st.lists(IDS, min_size=1))
def test_ids_are_read_with_comments_and_windows_line_ends(ids: list[str]) -> None:
    text = "\ufeff# deleted\r\n\r\n" + "".join(f"  {id_}  # why\r\n" for id_ in ids)
    assert read_ids(io.BytesIO(text.encode()), "ids.txt") == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\n\nx1\n", "line 3: 'x1'"),
        ("1 2\n", "line 1: '1 2'"),
        ("٣\n", "line 1: '٣'"),
        ("1" * 21, "line 1: "),
        ("a\nb\nc\nd\ne", "line 3: 'c' and 2 more"),
        ("# none\n", "holds no tweet id"),
    ],
)
def test_bad_lines_are_refused_by_number_before_anything_is_done(text: str, said: str) -> None:
    with pytest.raises(UserError, match="standard input") as error:
        read_ids(io.BytesIO(text.encode()), "standard input")
    assert said in str(error.value)
    done = subprocess.run(
        [sys.executable, str(ROOT / "kafka-consumer" / "archive.py"), "forget", "--ids", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("key", [b'"type"', b'"id"'])
def test_a_value_that_is_nested_without_end_stops_nobody(key: bytes) -> None:
    """Deeper than Python's own functions go, not deeper than it can be parsed."""
    nested = b"[" * 1_000 + b"]" * 1_000
    value = b'{"data":{"id":"1","referenced_tweets":[{' + key + b":" + nested + b"}]}}"
    assert ON_THE_LIST.id_in(value) is None


@given(st.lists(st.binary(min_size=1, max_size=50)))
def test_chunks_are_the_same_bytes(written: list[bytes]) -> None:
    assert b"".join(chunks(iter(written))) == b"".join(written)


@settings(max_examples=15)  # each waits before it reads on
@given(st.integers(0), st.lists(st.booleans(), min_size=1, max_size=6))
def test_a_reader_whose_file_is_replaced_in_the_middle_of_a_line_gets_whole_lines(
    cut: int, gone: list[bool]
) -> None:
    """The connection ends at any byte; what is read on is the file without the values."""
    values = tweet_lines(len(gone))
    before = [line(Record(value, offset))[:-1] for offset, value in enumerate(values)]
    after = [
        without_value(written, "1") if forgotten else written
        for written, forgotten in zip(before, gone, strict=True)
    ]
    old, new = (b"".join(written + b"\n" for written in file) for file in (before, after))
    cut %= len(old)
    assume(cut)
    files = iter([old[:cut], new])

    class Client:
        @contextlib.contextmanager
        def read(self, path: str, offset: int, chunk_size: int) -> Iterator[Iterator[bytes]]:
            content = next(files)
            yield itertools.chain([content[offset:]], self.broken() if content is not new else ())

        def broken(self) -> Iterator[bytes]:
            raise Broken
            yield b""

        def exists(self, path: str) -> bool:
            return True

    found = list(lines(Client(), Piece("/x", "", 0, len(old), 0)))  # type: ignore[arg-type]
    assert len(found) == len(before)
    assert all(each in pair for each, pair in zip(found, zip(before, after, strict=True), strict=True))
