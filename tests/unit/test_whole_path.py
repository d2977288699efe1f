"""Whatever a line of the stream holds, it becomes a document, a dead letter or a message, and is never an exception."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from file_replay import Line
from hdfs_archive import line as archive_line
from ingest import Ingest, Stopper
from kafka_cluster.message import Headers, header
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing
from mapping import assert_fits
from progress import Progress
from read_cost import ReadCost
from sample import Record
from simulated_words import RENAMED
from stream_gap import newest_id
from tweet_document import create_action
from tweet_shape import read_tweet
from x_connection import FIELDS, last_words

SETTINGS = Settings()
DEEPEST = 1_000
LATER = RENAMED | {"tweets": "posts"}

# what X may send, by its list of fields


def words(name: str) -> list[str]:
    return FIELDS[name].split(",")


ODD: list[Any] = [
    None, True, False, 0, -1, 7, 1.5, -0.0, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 1e308,
    "", " ", "0", "1", "-1", "1.5", "1" * 20, "9" * 20, "1" * 21, "١٢٣", "²", "1\n", "id", "\x00",
    "\ufffe", "😀" * 50, "x" * 9_000, "&amp;&#55296;&#x110000;", "2026-11-23T09:15:00.000Z", "2026-11-23",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999Z", "2026-02-30T00:00:00.000Z", "２０２６-11-23T09:15:00.000Z",
    "https://a.b/c", "http://[", "https://[::1]:99999/", "//", "retweeted", "quoted", "replied_to", "reposted", [], {},
    [[]], [None], [{}], {"id": None}, {"id": 1}, {"type": "retweeted", "id": 5}, {"data": {}},
]  # fmt: skip
JUNK = st.sampled_from(ODD)


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for number in range(depth):
        value = [value] if number % 2 else {"id": value}
    return value


def deep(before: bytes, after: bytes) -> bytes:
    """Lists as deep as they can be parsed, between other bytes."""
    return before + b"[" * DEEPEST + b"]" * DEEPEST + after


ANYTHING = st.one_of(
    JUNK, st.text(max_size=8), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.builds(nested, st.sampled_from([3, 60, 300])),
    st.lists(JUNK, max_size=3), st.dictionaries(st.sampled_from(["id", "tag", "text", "type", "x"]), JUNK, max_size=3),
)  # fmt: skip
GOOD_IDS = st.sampled_from(
    ["5", "1866021953423000001", "9223372036854775808"]
)  # few, so that they refer to each other


def mostly(good: Any) -> Any:
    """Good fifteen times in sixteen, else anything."""
    return st.integers(0, 15).flatmap(lambda odd: good if odd else ANYTHING)


def an_object(**fields: Any) -> Any:
    """Most of the fields, each mostly good, and now and then one that nobody knows."""
    known = {name: mostly(good) for name, good in fields.items()} | {"new_in_2027": ANYTHING}
    left_out = st.sets(st.sampled_from([*known]), max_size=2 + len(known) // 3)
    some = st.builds(
        lambda all_, out: {name: all_[name] for name in all_ if name not in out},
        st.fixed_dictionaries(known),
        left_out,
    )
    return mostly(some)


def a_list(item: Any) -> Any:
    return mostly(st.lists(item, max_size=3))


TEXT = st.text(max_size=12) | st.sampled_from(["#Kafka", "&lt;b&gt;", "é", "e\u0301", "RT @a: b", "카프카"])
COUNT = st.integers(0, 2**40)
TIME = st.sampled_from(["2026-11-23T09:15:00.000Z", "2026-11-23T09:15:00Z", "2026-11-23T18:15:00+09:00"])
NUMBER = st.floats(-200, 200) | st.integers(-200, 200)
ENTITIES = an_object(
    hashtags=a_list(an_object(tag=TEXT, start=COUNT)), cashtags=a_list(an_object(tag=TEXT)),
    mentions=a_list(an_object(username=TEXT, id=GOOD_IDS)),
    urls=a_list(an_object(url=TEXT, expanded_url=st.just("https://www.kafka.apache.org/x"), unwound_url=TEXT)),
)  # fmt: skip
METRICS = an_object(
    like_count=COUNT, retweet_count=COUNT, quote_count=COUNT, reply_count=COUNT, bookmark_count=COUNT,
    impression_count=COUNT, followers_count=COUNT, following_count=COUNT, tweet_count=COUNT,
)  # fmt: skip
TYPES = st.sampled_from(["retweeted", "quoted", "replied_to", "new"])
GOOD: dict[str, dict[str, Any]] = {
    "tweet.fields": {
        "id": GOOD_IDS, "text": TEXT, "author_id": GOOD_IDS, "created_at": TIME, "lang": st.sampled_from(["ko", "und"]),
        "conversation_id": GOOD_IDS, "in_reply_to_user_id": GOOD_IDS, "entities": ENTITIES, "public_metrics": METRICS,
        "referenced_tweets": a_list(an_object(type=TYPES, id=GOOD_IDS)), "possibly_sensitive": st.booleans(),
        "geo": an_object(place_id=GOOD_IDS, coordinates=an_object(type=TEXT, coordinates=a_list(NUMBER))),
        "edit_history_tweet_ids": a_list(GOOD_IDS), "note_tweet": an_object(text=TEXT, entities=ENTITIES),
    },
    "user.fields": {
        "id": GOOD_IDS, "name": TEXT, "username": TEXT, "created_at": TIME, "public_metrics": METRICS,
        "verified": st.booleans(), "verified_type": TEXT,
    },
    "place.fields": {
        "id": GOOD_IDS, "full_name": TEXT, "name": TEXT, "country": TEXT, "country_code": TEXT, "place_type": TEXT,
        "geo": an_object(type=TEXT, bbox=st.lists(NUMBER, min_size=4, max_size=4), properties=an_object()),
    },
}  # fmt: skip
TWEET, USER, PLACE = (an_object(**GOOD[name]) for name in ("tweet.fields", "user.fields", "place.fields"))
PAYLOAD = an_object(
    data=TWEET, errors=a_list(an_object(title=TEXT, disconnect_type=TEXT, detail=TEXT)), title=ANYTHING,
    includes=an_object(users=a_list(USER), tweets=a_list(TWEET), places=a_list(PLACE), media=ANYTHING),
    matching_rules=a_list(an_object(id=GOOD_IDS | COUNT, tag=TEXT)),
)  # fmt: skip


def with_id(payload: Any, id_: str) -> Any:
    """The same, certainly a tweet."""
    payload = payload if isinstance(payload, dict) else {}
    data = payload.get("data")
    return payload | {"data": (data if isinstance(data, dict) else {}) | {"id": id_}}


def spoilt(payload: Any, name: str, value: Any) -> Any:
    """The same with what no JSON may hold in one of its fields."""
    return payload | {"data": payload["data"] | {name: value}}


TWEETS = st.builds(with_id, PAYLOAD, GOOD_IDS)
UNHEARD_OF = st.sampled_from(["\ud800", "a\udfffb", float("inf"), float("nan"), 10**400, {"\udc00": 1}])
SPOILT = st.builds(spoilt, TWEETS, st.sampled_from([*GOOD["tweet.fields"]]), UNHEARD_OF)
LINES = (TWEETS | TWEETS | PAYLOAD | SPOILT).map(lambda value: json.dumps(value).encode())
"""As X writes JSON; now and then with half a surrogate pair, NaN, or a number without end."""


def test_the_strategy_knows_every_field_that_is_asked_for() -> None:
    for name, fields in GOOD.items():
        assert set(fields) == set(words(name))


class Kept:
    """Keeps what is sent."""

    has_room = True

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    def send(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing)

    def tend(self) -> None:
        pass


def in_later_words(value: Any) -> Any:
    """The same in the words since X's OpenAPI 2.167."""
    if isinstance(value, dict):
        return {LATER.get(name, name): in_later_words(inner) for name, inner in value.items()}
    return [in_later_words(inner) for inner in value] if isinstance(value, list) else value


def what_became_of(line: bytes) -> Outgoing | None:
    """A line through the producer, the real way; None for a message of X's about the stream."""
    kept, cost = Kept(), ReadCost(SETTINGS)
    ingest = Ingest(SETTINGS, kept, "stream", Stopper(), Progress(out=io.StringIO()), bill=cost.count)
    ingest.run([Line(1, line, len(line))])
    counts = ingest.counts
    assert (counts.read, counts.tweets + counts.refused + counts.control) == (1, 1), counts
    assert len(kept.sent) == counts.tweets + counts.refused
    return kept.sent[0] if kept.sent else None


def document_of(value: bytes, headers: Headers) -> dict[str, Any]:
    """A record through both sinks: its document, and its line in the archive, which holds it as it is."""
    action, body = create_action(read_tweet(value), headers, None).splitlines()
    document = orjson.loads(body)
    assert document["id"] == orjson.loads(action)["create"]["_id"]
    assert_fits(document)
    archived = archive_line(Record(value, headers=headers))
    assert archived.endswith(b',"tweet":' + value + b"}\n") or b'"value_base64"' in archived
    return document


def see_through(line: bytes) -> dict[str, Any] | None:
    """The line's document, if it has one. Raises unless the line comes out at one of the three ends, and only there."""
    outgoing = what_became_of(line)
    newest_id([line])
    last_words(line)
    if outgoing is None:
        assert "data" not in orjson.loads(line)
        return None
    assert outgoing.value == line
    if outgoing.topic == SETTINGS.dead_letter_topic:
        assert header(outgoing.headers, "reason")
        return None
    document = document_of(line, outgoing.headers)
    assert (outgoing.key or b"").decode() == document["id"]
    return document


def in_both_vocabularies(payload: dict[str, Any]) -> None:
    """Raise unless both are taken, and become the same document, but for the moment of its arrival."""
    earlier, later = (see_through(json.dumps(each).encode()) for each in (payload, in_later_words(payload)))
    for document in (earlier, later):
        for name in ("received_at", "arrival_delay_ms"):
            (document or {}).pop(name, None)
    assert earlier == later


@settings(max_examples=100)
@given(LINES)
def test_each_line_is_a_document_a_dead_letter_or_a_message(line: bytes) -> None:
    see_through(line)


def spots(value: Any, shape: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place within a value: its shape (list items are alike), the object or list that holds it, and its key."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        below = f"{shape}.{key if isinstance(key, str) else '*'}"
        yield below, value, key
        yield from spots(inner, below)


def test_each_field_may_be_anything_or_missing_in_both_vocabularies() -> None:
    done: set[str] = set()
    for file in sorted(Path(__file__).with_name("golden").glob("*.json")):
        payload = json.loads(file.read_text(encoding="utf-8"))["value"]
        for shape, holder, key in [*spots(payload)]:
            if shape in done:
                continue
            done.add(shape)
            before = holder[key]
            for odd in ODD:
                holder[key] = odd
                in_both_vocabularies(payload)
            holder[key] = before
            if isinstance(holder, dict):
                del holder[key]
                in_both_vocabularies(payload)
                holder[key] = before
    assert len(done) > 100


@pytest.mark.parametrize(
    "line",
    [
        deep(b'{"data":{"id":"1"},"includes":{"users":[{"id":', b"}]}}"),
        deep(b'{"data":{"id":"1","text":', b"}}"),
        deep(b'{"data":{"id":"1","referenced_tweets":[{"type":', b"}]}}"),
        deep(b'{"title":', b"}"),
        deep(b'{"errors":[{"title":', b"}]}"),
        deep(b'{"errors":', b"}"),
        b"[" * 5_000 + b"]" * 5_000,
        b'{"data":{"id":"1","text":"\\ud800"}}',
        b'{"data":{"id":"1"},"data":7}',
        b'{"data":{"id":"1","geo":{"coordinates":{"coordinates":[1e999,-1e999]}}}}',
        b'{"data":{"id":"1","public_metrics":{"like_count":' + b"9" * 5_000 + b"}}}",
    ],
    ids=range(11),
)
def test_so_is_what_is_nested_without_end_or_no_json(line: bytes) -> None:
    """Apart from the above: hypothesis lets its tests nest deeper than a program may."""
    see_through(line)


@settings(max_examples=40)
@given(TWEETS)
def test_both_vocabularies_become_the_same_document(payload: dict[str, Any]) -> None:
    in_both_vocabularies(payload)
