"""Files of tweets as they come: plain, gzip, torn, with long lines and other line ends."""

import gzip
import io
import os
import re
import sys
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from file_replay import BOM, KEPT_BYTES, open_lines, read_lines
from kafka_cluster.script import UserError
from sample import tweet_lines


@given(
    st.lists(
        st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), max_size=20
    )
)
@example([BOM + b"first", BOM + b"second"])
def test_lines_come_whole_and_numbered_whatever_their_end(contents: list[bytes]) -> None:
    """But for the mark with which a file of some editors begins."""
    expected = [content if number else content.removeprefix(BOM) for number, content in enumerate(contents)]
    for end in (b"\n", b"\r\n"):
        lines = list(read_lines(io.BytesIO(b"".join(line + end for line in contents)), "test"))
        assert [line.content for line in lines] == expected
        assert [line.number for line in lines] == list(range(1, len(contents) + 1))


@pytest.mark.parametrize("packed", [False, True])
def test_gzip_is_known_by_its_first_bytes(tmp_path: Path, packed: bool) -> None:
    tweets = tweet_lines(20)
    body = b"\n".join(tweets)
    path = tmp_path / "tweets"
    path.write_bytes(gzip.compress(body) if packed else body)
    assert [line.content for line in read_lines(open_lines(str(path)), "tweets")] == tweets


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_gives_every_line(packed: bool) -> None:
    tweets = tweet_lines(150)
    body = b"\n".join(tweets)
    reading, writing = os.pipe()
    with open(writing, "wb") as feeder:  # noqa: PTH123
        feeder.write(gzip.compress(body) if packed else body)  # less than a pipe holds
    assert [line.content for line in read_lines(open_lines(f"/dev/fd/{reading}"), "pipe")] == tweets
    os.close(reading)


def test_a_gzip_is_known_by_its_first_byte_which_a_pipe_may_give_alone() -> None:
    tweets = tweet_lines(3)
    body = gzip.compress(b"\n".join(tweets))
    reading, writing = os.pipe()
    os.write(writing, body[:1])
    stream = open_lines(f"/dev/fd/{reading}")
    os.write(writing, body[1:])
    os.close(writing)
    assert [line.content for line in read_lines(stream, "pipe")] == tweets
    os.close(reading)


def test_standard_input_is_waited_for_whoever_left_it_non_blocking(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        feeder = threading.Timer(0.3, lambda: (os.write(writing, b"late\n"), os.close(writing)))
        feeder.start()
        assert [line.content for line in read_lines(open_lines("-"), "-")] == [b"late"]
        feeder.join()


def test_standard_input_that_is_closed_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="standard input is closed"):
        open_lines("-")


def test_a_torn_gzip_gives_what_came_whole_then_one_clear_error(tmp_path: Path) -> None:
    tweets = tweet_lines(20_000)
    path = tmp_path / "tweets.gz"
    torn = gzip.compress(b"\n".join(tweets))[:-2_000]
    path.write_bytes(torn)
    whole = zlib.decompressobj(wbits=31).decompress(torn).count(b"\n")
    got = []
    with pytest.raises(UserError, match="can't be read beyond line"):
        got.extend(line.content for line in read_lines(open_lines(str(path)), "tweets.gz"))
    assert 0 < whole < len(tweets) and got == tweets[:whole]


def test_a_huge_line_is_cut_and_its_true_size_kept() -> None:
    lines = list(read_lines(io.BytesIO(b"x" * (3 * KEPT_BYTES) + b"\nnext\n"), "test"))
    assert [line.number for line in lines] == [1, 2]
    assert lines[0].size == 3 * KEPT_BYTES + 1 and len(lines[0].content) == KEPT_BYTES
    assert lines[1].content == b"next"


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_file_that_can_not_be_read_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="can't read"):
        open_lines(str(tmp_path / name))


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    [tweet] = tweet_lines(1)
    path = tmp_path / "tweets.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + tweet + b"\r\n")
    assert [line.content for line in read_lines(open_lines(str(path)), "tweets")] == [tweet]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"created_at":"Wed Oct 10 20:19:24 +0000 2018","id":1,"id_str":"1","text":"?"}', "old API v1.1"),
        (b'{"id":"1","text":"?"}', 'each line must be {"data"'),
        (b'[{"data":{"id":"1"}}]', 'each line must be {"data"'),
    ],
)
def test_a_file_of_another_shape_is_refused_at_its_first_line(line: bytes, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        next(read_lines(io.BytesIO(line + b"\n"), "old.jsonl"))
