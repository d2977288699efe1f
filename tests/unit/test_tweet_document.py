"""A tweet becomes the document that the dashboards expect, and no tweet with an id is ever refused."""

import json
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_cluster.message import NotATweet
from mapping import MAPPING, assert_fits
from sample import odd_tweets
from tweet_document import create_action
from tweet_shape import read_tweet

GOLDEN = sorted(Path(__file__).with_name("golden").glob("*.json"))
RECEIVED = "2026-11-23T09:15:03.250Z"
NOW, ZONE = datetime(2026, 11, 23, 9, 15, 4, tzinfo=UTC), ZoneInfo("Asia/Seoul")


def document(
    value: Any, received_at: str | None = None, now: datetime | None = NOW, zone: tzinfo = UTC
) -> dict[str, Any]:
    """What Elasticsearch gets of a record with this value, an object or bytes."""
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    headers = [("received_at", received_at.encode())] if received_at else []
    action, made = create_action(read_tweet(body), headers, now, zone).splitlines()
    assert json.loads(action)["create"]["_id"] == json.loads(made)["id"]
    return json.loads(made)


def golden(name: str) -> tuple[dict, dict]:
    case = json.loads((Path(__file__).with_name("golden") / f"{name}.json").read_text(encoding="utf-8"))
    return case["value"], case["document"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    value, expected = golden(path.stem)
    assert document(value, RECEIVED, NOW, ZONE) == expected
    assert expected["id"] == value["data"]["id"]
    assert_fits(expected, MAPPING)


@pytest.mark.parametrize("name", ["retweet", "long-post", "edit"])
def test_both_vocabularies_give_the_same_document(name: str) -> None:
    assert golden(name)[1] == golden(f"{name}-new-names")[1]


def test_a_retweet_shows_the_whole_text_the_tags_and_the_counts_of_its_original() -> None:
    _, retweet = golden("retweet")
    assert retweet["text"].endswith("$CFLT") and retweet["hashtags"] == ["kafka", "dataengineering"]
    assert (retweet["original"]["retweets"], retweet["metrics"]["retweets"]) == (128, 0)


def test_a_text_that_python_can_not_unescape_stays_as_it_is() -> None:
    text = f"&amp; &#{'1' * 5000}; &lt;"
    assert document({"data": {"id": "1", "text": text}})["text"] == text


def test_wrong_types_in_optional_fields_are_left_out() -> None:
    for value in odd_tweets():
        assert_fits(document(value), MAPPING)


@pytest.mark.parametrize(
    ("zone", "hour", "weekday"),
    [("UTC", "22", "7 Sun"), ("Asia/Seoul", "07", "1 Mon"), ("America/New_York", "17", "7 Sun")],
)
def test_hour_and_weekday_are_those_of_the_users_time_zone(zone: str, hour: str, weekday: str) -> None:
    data = {"id": "1", "created_at": "2026-11-22T22:30:00.000Z"}
    made = document({"data": data}, None, NOW, ZoneInfo(zone))
    assert (made["local_hour"], made["local_weekday"]) == (hour, weekday)


def test_a_tweet_without_a_date_has_that_of_its_id() -> None:
    assert golden("bare")[1]["created_at"] == "2025-11-21T22:39:44.227Z", "(id >> 22) + 1288834974657 ms"
    assert "created_at" not in document({"data": {"id": "12345"}}, RECEIVED, NOW), "from before snowflakes"


@pytest.mark.parametrize("year", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_no_reason_to_refuse_a_tweet(year: str) -> None:
    for zone in ("Asia/Seoul", "America/New_York"):
        document({"data": {"id": "1", "created_at": f"{year}T00:00:00.000Z"}}, RECEIVED, NOW, ZoneInfo(zone))


WORDS = """
    data includes users tweets posts places id text created_at lang entities hashtags tag urls expanded_url
    mentions username public_metrics like_count followers_count referenced_tweets type geo coordinates bbox
    place_id note_tweet matching_rules edit_history_tweet_ids author_id verified verified_type country
"""
NAMES = st.sampled_from(WORDS.split())
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.sampled_from(["1", "retweeted", "quoted", "2026-11-23", "http://[", "https://a.b"]),
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=8), st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_whatever_x_sends_the_document_fits_the_mapping(data: dict, includes: dict) -> None:
    assert_fits(document({"data": data | {"id": "1"}, "includes": includes}, RECEIVED, NOW, ZONE), MAPPING)


@given(ANYTHING)
def test_anything_else_is_no_tweet(value: Any) -> None:
    try:
        body = orjson.dumps(value)
    except TypeError:
        return
    with pytest.raises(NotATweet):
        document(body)
