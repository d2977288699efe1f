"""A page of search becomes the stream's lines: nothing lost, nothing that belongs to another tweet."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_cluster.message import tweet_record
from search_page import page_ids, page_lines
from simulated_search import search_page
from simulated_words import in_posts
from tweet_generator import TweetGenerator

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "author_id", "referenced_tweets", "attachments", "geo", "entities", "mentions"]),
            inner, max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip
FIELDS = dict.fromkeys(
    ("author_id", "referenced_tweets", "referenced_posts", "attachments", "geo", "entities"), JSON
)


def births(count: int) -> list[tuple[int, bytes]]:
    generator = TweetGenerator(1, START, redelivered=0)
    lines = [generator.line(int(START.timestamp() * 1000) + 10 * number) for number in range(count)]
    return [(int(orjson.loads(line)["data"]["id"]), line) for line in lines]


def page_of(born: list[tuple[int, bytes]], translate: Any) -> dict[str, Any]:
    return search_page({"query": "a", "max_results": "100"}, lambda *_: reversed(born), translate)


@pytest.mark.parametrize("translate", [bytes, in_posts])
def test_each_tweet_comes_with_what_the_stream_would_have_sent_with_it(translate: Any) -> None:
    born = births(100)
    page = page_of(born, translate)
    lines = page_lines(page, "kafka")
    assert len(lines) == 100
    posts = "posts" if translate is in_posts else "tweets"
    for line, (id_, streamed) in zip(lines, born, strict=True):
        found, heard = orjson.loads(line), orjson.loads(translate(streamed))
        assert found["data"] == heard["data"] and found["data"]["id"] == str(id_)
        assert found["matching_rules"] == [{"tag": "kafka"}]
        for kind, items in heard["includes"].items():
            ids = {item.get("id") or item["media_key"] for item in items}
            also = {item.get("id") or item["media_key"] for item in found["includes"][kind]}
            assert also == ids if kind in (posts, "places", "media") else also >= ids
        named = line.decode()
        for user in found["includes"]["users"]:
            assert named.count(f'"{user["id"]}"') >= 2, "somebody refers to that user"
    assert any(posts in orjson.loads(line)["includes"] for line in lines)


def test_a_page_with_nothing_in_it_and_one_that_is_none() -> None:
    for page in ({"meta": {"result_count": 0}}, {"data": None}, {"data": {}}, {}):
        assert (page_lines(page, "a"), page_ids(page)) == ([], [])


def test_errors_go_with_the_tweet_that_they_are_about() -> None:
    missing = {"title": "Not Found Error", "resource_id": "3", "value": "3"}
    tweets = [{"id": "1", "referenced_tweets": [{"type": "quoted", "id": "3"}]}, {"id": "2"}]
    second, first = page_lines({"data": tweets, "errors": [missing, {"value": "9"}]}, "a")
    assert orjson.loads(first)["errors"] == [missing]
    assert "errors" not in orjson.loads(second) and "includes" not in orjson.loads(second)


def test_what_orjson_can_not_write_is_not_lost() -> None:
    [line] = page_lines({"data": [{"id": "1", "text": "\ud83d", "n": 2**70}]}, "a")
    assert b'"id": "1"' in line and b"\\ud83d" in line


@given(
    st.lists(st.fixed_dictionaries({"id": st.integers(1, 2**63).map(str)}, optional=FIELDS), max_size=4),
    st.dictionaries(st.sampled_from(["users", "tweets", "posts", "media", "odd"]), JSON, max_size=3), JSON,
)  # fmt: skip
def test_whatever_x_sends_every_tweet_becomes_a_line(tweets: list[Any], includes: Any, errors: Any) -> None:
    lines = page_lines({"data": tweets, "includes": includes, "errors": errors}, "a")
    assert [orjson.loads(line)["data"]["id"] for line in lines if b"e+" not in line] == [
        tweet["id"] for tweet in reversed(tweets)
    ]
    for line in lines:
        tweet_record(line, "search")
