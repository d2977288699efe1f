"""A page of recent search -> one line per tweet in the stream's shape, each with what it refers to. Pure.

A page has one `includes` for all its tweets; in the stream each tweet brings its own.
"""

import json
from typing import Any

import orjson

Json = dict[str, Any]

REFERENCES = ("referenced_tweets", "referenced_posts")  # before and after OpenAPI 2.167
POSTS = ("tweets", "posts")


def page_lines(page: Json, tag: str) -> list[bytes]:
    """The lines, oldest tweet first; `tag`: the rule by which they were searched. Raises nothing."""
    tweets = page.get("data")
    if not isinstance(tweets, list):
        return []
    includes = _by_id(page.get("includes"))
    errors = [error for error in _list(page.get("errors")) if isinstance(error, dict)]
    return [_line(_payload(tweet, includes, errors, tag)) for tweet in reversed(tweets)]


def page_ids(page: Json) -> list[int]:
    """The ids of the page's tweets."""
    tweets = [tweet for tweet in _list(page.get("data")) if isinstance(tweet, dict)]
    return [int(tweet["id"]) for tweet in tweets if str(tweet.get("id", "")).isdecimal()]


def _payload(tweet: Any, includes: dict[str, Json], errors: list[Json], tag: str) -> Json:
    wanted = _named(tweet) | (posts := _referenced(tweet))
    for kind in POSTS:
        for id_ in posts & includes.get(kind, {}).keys():
            wanted |= _named(includes[kind][id_])  # one level, as X expands: what those refer to is not there
    own = {kind: [item for id_, item in items.items() if id_ in wanted] for kind, items in includes.items()}
    own = {kind: items for kind, items in own.items() if items}
    said = [error for error in errors if {str(error.get("resource_id")), str(error.get("value"))} & wanted]
    parts = {"data": tweet, "includes": own, "errors": said, "matching_rules": [{"tag": tag}]}
    return {name: part for name, part in parts.items() if part or name == "data"}


def _referenced(tweet: Any) -> set[str]:
    """The ids of posts that a tweet retweets, quotes or answers."""
    if not isinstance(tweet, dict):
        return set()
    objects = [each for kind in REFERENCES for each in _list(tweet.get(kind)) if isinstance(each, dict)]
    return {str(each.get("id")) for each in objects}


def _named(tweet: Any) -> set[str]:
    """Ids of users, places and polls, and keys of media, that a tweet names: what X's expansions expand."""
    if not isinstance(tweet, dict):
        return set()
    attachments, geo, entities = (_object(tweet.get(name)) for name in ("attachments", "geo", "entities"))
    mentions = [each for each in _list(entities.get("mentions")) if isinstance(each, dict)]
    names = [
        tweet.get("author_id"), tweet.get("in_reply_to_user_id"), geo.get("place_id"),
        *_list(attachments.get("media_keys")), *_list(attachments.get("poll_ids")),
        *(mention.get("id") for mention in mentions),
    ]  # fmt: skip
    return {str(name) for name in names if name is not None}


def _by_id(includes: Any) -> dict[str, Json]:
    kinds = _object(includes).items()
    return {kind: {_name(item): item for item in _list(items)} for kind, items in kinds}


def _name(item: Any) -> str:
    return str(item.get("id") or item.get("media_key")) if isinstance(item, dict) else ""


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _line(payload: Json) -> bytes:
    try:
        return orjson.dumps(payload)
    except (TypeError, RecursionError):  # half a surrogate, an integer above 64 bits: refused later, and kept
        return json.dumps(payload).encode()
