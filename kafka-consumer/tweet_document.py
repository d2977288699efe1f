"""A tweet in the stream's shape -> the document in Elasticsearch. Pure.

Both vocabularies of the X API are read, that before and that after its OpenAPI 2.167 (referenced_tweets and
referenced_posts, and so on). A tweet with an id is never refused: an optional field of a wrong type is left out,
and the rest is indexed. tweet-index.json has the mapping of every field that is made here.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlsplit

import orjson

from kafka_cluster.message import header, parse_tweet, timestamp, tweet_id

Json = dict[str, Any]

KINDS = {"retweeted": "retweet", "reposted": "retweet", "quoted": "quote", "replied_to": "reply"}
PRECEDENCE = ("retweet", "quote", "reply")
METRICS = {
    "likes": ("like_count",),
    "retweets": ("retweet_count", "repost_count"),
    "quotes": ("quote_count",),
    "replies": ("reply_count",),
    "bookmarks": ("bookmark_count",),
    "impressions": ("impression_count",),
}
# X's own links stand in a tweet for its media and for what it quotes: they are not where people link to.
OWN_DOMAINS = {"twitter.com", "x.com", "t.co", "pic.twitter.com", "pic.x.com"}
LARGEST_LONG = 2**63 - 1
WEEKDAYS = (
    "1 Mon",
    "2 Tue",
    "3 Wed",
    "4 Thu",
    "5 Fri",
    "6 Sat",
    "7 Sun",
)  # they sort as they follow each other
HOURS = tuple(f"{hour:02}" for hour in range(24))
# An id since November 2010 is a snowflake: its upper bits are milliseconds since this moment.
SNOWFLAKES_BEGIN = datetime(2010, 11, 4, 1, 42, 54, 657_000, UTC)
FIRST_SNOWFLAKE, SEQUENCE_BITS = 30_000_000_000, 22
_X_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def tweet_action(
    value: bytes | None, headers: Iterable[tuple[str, bytes | None]], now: datetime | None, zone: tzinfo = UTC
) -> tuple[str, bytes]:
    """A record's value and headers -> (id, document as JSON bytes). Raises NotATweet for poison."""
    payload = parse_tweet(value)
    return tweet_id(payload), orjson.dumps(document(payload, header(headers, "received_at"), now, zone))


def document(payload: Json, received_at: str | None, now: datetime | None, zone: tzinfo = UTC) -> Json:
    """A parsed tweet -> its document; fields that the tweet lacks are left out. Raises NotATweet without an id.

    `now`: when it is handed to Elasticsearch; None in a rebuild, where that says nothing. `zone`: for the
    hour and the weekday at which it was written.
    """
    data, includes = payload["data"], _object(payload.get("includes"))
    users = _by_id(includes.get("users"))
    others = _by_id(includes.get("tweets") or includes.get("posts"))
    kind, referenced = _references(data)
    original = others.get(referenced.get(kind, ""), {}) if kind in ("retweet", "quote") else {}
    # A retweet's own text and entities are cut at about 140 characters; the whole is in the original.
    said = original if kind == "retweet" and original else data
    id_ = tweet_id(payload)
    created_at, created = written(data, id_)
    received_at, received = _moment(received_at)
    return _filled({
        "id": id_,
        "text": _whole_text(said),
        "created_at": created_at,
        "received_at": received_at,
        "arrival_delay_ms": _milliseconds_between(created, received),
        "index_delay_ms": _milliseconds_between(received, now),
        **_local_time(created, zone),
        "lang": _text(data.get("lang")),
        "kind": kind,
        "is_retweet": int(kind == "retweet"),  # its average is the share of retweets
        "original_id": referenced.get("retweet") or referenced.get("quote"),
        "reply_to_id": referenced.get("reply"),
        "conversation_id": _text(data.get("conversation_id")),
        **_entities(said),
        "author": _author(users.get(_text(data.get("author_id")) or "", {}), data),
        "metrics": _metrics(data),
        "original": _original(original, users),
        "place": _place(data, _by_id(includes.get("places"))),
        "rules": _texts(payload.get("matching_rules"), "tag"),
        "edit_root_id": _edit_root(data),
    })  # fmt: skip


# parts


def _references(data: Json) -> tuple[str, dict[str, str]]:
    """The kind of tweet, and the id of the tweet that it refers to in each way."""
    found: dict[str, str] = {}
    for kind, id_ in references(data.get("referenced_tweets") or data.get("referenced_posts")):
        found.setdefault(kind, id_)
    return next((kind for kind in PRECEDENCE if kind in found), "post"), found


def references(value: Any) -> Iterator[tuple[str, str]]:
    """The kind (KINDS) and the id of each reference of a list, as far as it is one."""
    for reference in objects_of(value):
        kind, id_ = KINDS.get(_text(reference.get("type")) or ""), _text(reference.get("id"))
        if kind and id_:
            yield kind, id_


def _whole_text(data: Json) -> str | None:
    note = _object(data.get("note_tweet") or data.get("note_post"))
    text = _text(note.get("text")) or _text(data.get("text"))
    return html.unescape(text) if text and "&" in text else text  # X escapes &, < and >


def _entities(data: Json) -> Json:
    note = _object(data.get("note_tweet") or data.get("note_post"))
    entities = _object(note.get("entities")) or _object(data.get("entities"))
    urls = [
        url
        for entity in objects_of(entities.get("urls"))
        if (url := _text(entity.get("unwound_url")) or _text(entity.get("expanded_url")))
    ]
    return {
        "hashtags": _unique(_same_tag(tag) for tag in _texts(entities.get("hashtags"), "tag")),
        "cashtags": _unique(tag.upper() for tag in _texts(entities.get("cashtags"), "tag")),
        "mentions": _unique(name.lower() for name in _texts(entities.get("mentions"), "username")),
        "urls": _unique(urls),
        "domains": _unique(domain for url in urls if (domain := _domain(url))),
    }


def _same_tag(tag: str) -> str:
    """#Kafka and #kafka, and the two ways to write an accent, count as one."""
    return unicodedata.normalize("NFC", tag).casefold()


def _domain(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    host = host.removeprefix("www.")
    return host if "." in host and host not in OWN_DOMAINS else None


def _author(user: Json, data: Json) -> Json:
    metrics = _object(user.get("public_metrics"))
    verified = user.get("verified")
    return _filled({
        "id": _text(data.get("author_id")),
        "username": _text(user.get("username")),
        "name": _text(user.get("name")),
        "followers": _count(metrics.get("followers_count")),
        "following": _count(metrics.get("following_count")),
        "tweets": _count(metrics.get("tweet_count", metrics.get("post_count"))),
        "verified": verified if isinstance(verified, bool) else None,
        "verified_type": _text(user.get("verified_type")),
        "created_at": _time(user.get("created_at")),
    })  # fmt: skip


def _metrics(data: Json) -> Json:
    given = _object(data.get("public_metrics"))
    counts = {}
    for name, keys in METRICS.items():
        counts[name] = next((count for key in keys if (count := _count(given.get(key))) is not None), None)
    return _filled(counts)


def _original(original: Json, users: dict[str, Json]) -> Json:
    """The tweet that was retweeted or quoted, with its counts at the moment of this record."""
    if not original:
        return {}
    author = users.get(_text(original.get("author_id")) or "", {})
    return _filled({
        "created_at": _time(original.get("created_at")),
        "author": _text(author.get("username")),
        "text": _whole_text(original),
        **_metrics(original),
    })  # fmt: skip


def _place(data: Json, places: dict[str, Json]) -> Json:
    geo = _object(data.get("geo"))
    place = places.get(_text(geo.get("place_id")) or "", {})
    point = list_of(_object(geo.get("coordinates")).get("coordinates"))
    box = list_of(_object(place.get("geo")).get("bbox"))
    if len(point) != 2 and len(box) == 4 and all(map(_is_number, box)):
        point = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    return _filled({
        "full_name": _text(place.get("full_name")),
        "country": _text(place.get("country")),
        "country_code": _text(place.get("country_code")),
        "location": _location(point),
    })  # fmt: skip


def _location(point: list[Any]) -> Json | None:
    if len(point) != 2 or not all(map(_is_number, point)):
        return None
    longitude, latitude = point
    if abs(longitude) > 180 or abs(latitude) > 90:
        return None
    return {"lat": latitude, "lon": longitude}


def _edit_root(data: Json) -> str | None:
    history = list_of(data.get("edit_history_tweet_ids") or data.get("edit_history_post_ids"))
    return _text(history[0]) if history else None


# values of whatever type -> the type that the mapping wants, or nothing


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def objects_of(value: Any) -> list[Json]:
    """The objects of a list."""
    return [item for item in list_of(value) if isinstance(item, dict)]


def _by_id(value: Any) -> dict[str, Json]:
    return {item["id"]: item for item in objects_of(value) if isinstance(item.get("id"), str)}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any, key: str) -> list[str]:
    return [text for item in objects_of(value) if (text := _text(item.get(key)))]


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= LARGEST_LONG else None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _time(value: Any) -> str | None:
    """A point in time as X writes it, `2026-11-23T12:00:00.000Z`; other ISO 8601 times are brought to that form."""
    return _moment(value)[0]


def _moment(value: Any) -> tuple[str, datetime] | tuple[None, None]:
    """A point in time, as text and parsed."""
    if not isinstance(value, str):
        return None, None
    try:
        moment = datetime.fromisoformat(value)
        if _X_TIME.fullmatch(value):
            return value, moment
        return (timestamp(moment), moment) if moment.tzinfo else (None, None)
    except (ValueError, OverflowError):
        return None, None


def written(data: Json, id_: str) -> tuple[str, datetime] | tuple[None, None]:
    """When a tweet was written, as its document says it: by X's word, else by its id."""
    moment = _moment(data.get("created_at"))
    return moment if moment[1] else birth(id_)


def birth(id_: str) -> tuple[str, datetime] | tuple[None, None]:
    """When a tweet was made, by its id: X leaves `created_at` out at times."""
    if not FIRST_SNOWFLAKE <= int(id_) <= LARGEST_LONG:
        return None, None
    moment = SNOWFLAKES_BEGIN + timedelta(milliseconds=int(id_) >> SEQUENCE_BITS)
    return timestamp(moment), moment


def _local_time(created: datetime | None, zone: tzinfo) -> Json:
    if created is None or not 1 < created.year < 9999:  # beyond these another zone's time may not exist
        return {}
    local = created.astimezone(zone)
    return {"local_hour": HOURS[local.hour], "local_weekday": WEEKDAYS[local.weekday()]}


def _milliseconds_between(start: datetime | None, end: datetime | None) -> int | None:
    if not start or not end:
        return None
    return round((end - start).total_seconds() * 1000)


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _filled(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}
