"""The generated stream is reproducible, in X's shape, and obeys what X really sends."""

from collections import Counter
from datetime import UTC, datetime
from itertools import islice

import orjson
import pytest

from kafka_cluster.message import tweet_record
from tweet_generator import TweetGenerator

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(islice(TweetGenerator(7, START).lines(START, rate=300), 12_000))


@pytest.fixture(scope="module")
def tweets(lines: list[bytes]) -> list[dict]:
    return [orjson.loads(line) for line in lines]


def test_the_same_seed_gives_the_same_bytes(lines: list[bytes]) -> None:
    assert list(islice(TweetGenerator(7, START).lines(START, rate=300), 2_000)) == lines[:2_000]
    assert list(islice(TweetGenerator(8, START).lines(START, rate=300), 20)) != lines[:20]


def test_every_line_is_a_record(lines: list[bytes]) -> None:
    for line in lines:
        assert b"\n" not in line
        tweet_record(line, "test")


def test_ids_are_snowflakes_of_their_moment_and_only_redeliveries_repeat(
    lines: list[bytes], tweets: list[dict]
) -> None:
    for tweet in tweets[::50]:
        born = datetime.fromisoformat(tweet["data"]["created_at"]).timestamp() * 1000
        assert abs((int(tweet["data"]["id"]) >> 22) + 1_288_834_974_657 - born) < 2
    distinct = set(lines)
    assert len({tweet["data"]["id"] for tweet in map(orjson.loads, distinct)}) == len(distinct)
    assert 5 < len(lines) - len(distinct) < 60


def test_what_x_does_not_send_is_not_there(tweets: list[dict]) -> None:
    assert all(set(tweet["data"]["public_metrics"].values()) == {0} for tweet in tweets), (
        "nobody liked it at birth"
    )
    assert not any("source" in tweet["data"] for tweet in tweets)
    assert 0 < sum("geo" in tweet["data"] for tweet in tweets) <= 0.02 * len(tweets)


def test_entities_stand_where_they_say(tweets: list[dict]) -> None:
    marks = {
        "hashtags": ("#", "tag"),
        "cashtags": ("$", "tag"),
        "mentions": ("@", "username"),
        "urls": ("", "url"),
    }
    seen = Counter[str]()
    for tweet in tweets:
        for kind, found in tweet["data"].get("entities", {}).items():
            mark, key = marks[kind]
            for entity in found:
                seen[kind] += 1
                assert tweet["data"]["text"][entity["start"] : entity["end"]] == mark + entity[key]
    assert set(seen) == set(marks)


def test_references_are_in_the_includes_with_counts_that_grow(tweets: list[dict]) -> None:
    counts: dict[str, list[int]] = {}
    for tweet in tweets:
        users = {user["id"] for user in tweet["includes"]["users"]}
        assert tweet["data"]["author_id"] in users
        for reference in tweet["data"].get("referenced_tweets", ()):
            original = tweet["includes"]["tweets"][0]
            assert original["id"] == reference["id"] and original["author_id"] in users
            if reference["type"] == "retweeted":
                counts.setdefault(original["id"], []).append(original["public_metrics"]["retweet_count"])
    spread = max(counts.values(), key=len)
    assert len(spread) > 20, "something goes viral"
    assert spread[-1] > spread[0]


def test_tags_authors_and_languages_are_long_tailed_and_people_sleep(tweets: list[dict]) -> None:
    authors = Counter(tweet["data"]["author_id"] for tweet in tweets)
    assert authors.most_common(1)[0][1] < 0.05 * len(tweets) and len(authors) > 1_500
    languages = Counter(tweet["data"]["lang"] for tweet in tweets)
    assert len(languages) == 8 and min(languages["ko"], languages["en"], languages["ja"]) > 300
    night = datetime(2026, 11, 24, 19, tzinfo=UTC)  # 4 in the morning in Seoul
    asleep = Counter(
        orjson.loads(line)["data"]["lang"]
        for line in islice(TweetGenerator(7, night).lines(night, 300), 4_000)
    )
    assert asleep["ko"] / 4_000 < 0.6 * languages["ko"] / len(tweets)
