"""Files of tweets as they come: plain, gzip, torn, with long lines and other line ends."""

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from file_replay import KEPT_BYTES, open_lines, read_lines
from kafka_cluster.script import UserError
from sample import tweet_lines


@given(
    st.lists(
        st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), max_size=20
    )
)
def test_lines_come_whole_and_numbered_whatever_their_end(contents: list[bytes]) -> None:
    for end in (b"\n", b"\r\n"):
        lines = list(read_lines(io.BytesIO(b"".join(line + end for line in contents)), "test"))
        assert [line.content for line in lines] == contents
        assert [line.number for line in lines] == list(range(1, len(contents) + 1))


@pytest.mark.parametrize("packed", [False, True])
def test_gzip_is_known_by_its_first_bytes(tmp_path: Path, packed: bool) -> None:
    tweets = tweet_lines(20)
    body = b"\n".join(tweets)
    path = tmp_path / "tweets"
    path.write_bytes(gzip.compress(body) if packed else body)
    assert [line.content for line in read_lines(open_lines(str(path)), "tweets")] == tweets


def test_a_torn_gzip_gives_what_came_whole_then_one_clear_error(tmp_path: Path) -> None:
    tweets = tweet_lines(20_000)
    path = tmp_path / "tweets.gz"
    path.write_bytes(gzip.compress(b"\n".join(tweets))[:-2_000])
    got = []
    with pytest.raises(UserError, match="can't be read beyond line"):
        got.extend(line.content for line in read_lines(open_lines(str(path)), "tweets.gz"))
    assert got and got == tweets[: len(got)]


def test_a_huge_line_is_cut_and_its_true_size_kept() -> None:
    lines = list(read_lines(io.BytesIO(b"x" * (3 * KEPT_BYTES) + b"\nnext\n"), "test"))
    assert [line.number for line in lines] == [1, 2]
    assert lines[0].size == 3 * KEPT_BYTES + 1 and len(lines[0].content) == KEPT_BYTES
    assert lines[1].content == b"next"


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_file_that_can_not_be_read_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="can't read"):
        open_lines(str(tmp_path / name))
