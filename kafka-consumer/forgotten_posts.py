"""Which records must be forgotten: those that carry a post on the list, or one of a user on the list. Pure.

A record carries its own post and those that X sent along in full: the post that it retweets, quotes or answers. A
record that carries one of the list is forgotten whole, since X's bytes are kept as they are or not at all. A retweet
repeats the original's text, so it is forgotten by the original's id alone. An edit is a version of the same post.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kafka_cluster.message import NotATweet, is_tweet_id, parse_tweet, tweet_id
from kafka_cluster.script import UserError
from tweet_document import list_of, objects_of, references

Json = dict[str, Any]

SHOWN_BAD_LINES = 3


@dataclass(frozen=True)
class Forgotten:
    """The list: ids of posts and of users, each with the time since when it stands there (ISO 8601, UTC)."""

    posts: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.posts or self.users)

    def holds(self, record: Any) -> bool:
        """True for a record of Kafka or of the archive that is forgotten, or must be."""
        return getattr(record, "forgotten", None) is not None or self.id_in(record.value) is not None

    def id_in(self, value: bytes | None) -> str | None:
        """The id of the record's own post, if its value must be forgotten; "" where that has none, else None.

        A value that can't be parsed is none that can be recognised.
        """
        if not self:
            return None
        try:
            payload = parse_tweet(value)
        except NotATweet:
            return None
        if not self.carried_by(payload):
            return None
        try:
            return tweet_id(payload)
        except NotATweet:
            return ""

    def carried_by(self, payload: Json) -> bool:
        """True for a parsed value, an object with an object `data`, that carries a post of the list."""
        data, includes = payload["data"], payload.get("includes")
        if self._is_on_it(data) or any(id_ in self.posts for id_ in _retweeted(data)):
            return True
        return isinstance(includes, dict) and any(
            self._is_on_it(post) for name in ("tweets", "posts") for post in objects_of(includes.get(name))
        )

    def _is_on_it(self, post: Json) -> bool:
        author = post.get("author_id")
        versions = [post.get("id")]
        for name in ("edit_history_tweet_ids", "edit_history_post_ids"):
            versions += list_of(post.get(name))
        return any(isinstance(id_, str) and id_ in self.posts for id_ in versions) or (
            isinstance(author, str) and author in self.users
        )

    def fresh(self, posts: Iterable[str], users: Iterable[str]) -> tuple[list[str], list[str]]:
        """Those that are not on the list yet, each once."""
        return (
            [id_ for id_ in dict.fromkeys(posts) if id_ not in self.posts],
            [id_ for id_ in dict.fromkeys(users) if id_ not in self.users],
        )


def entry(posts: list[str], users: list[str], at: str) -> bytes:
    """What a run puts on the list, as a line of its file."""
    return json.dumps({"at": at, "posts": posts, "users": users}).encode() + b"\n"


def from_entries(lines: Iterable[bytes]) -> Forgotten:
    """The list, of the lines of all its files. Raises ValueError or KeyError for what is no entry."""
    posts: dict[str, str] = {}
    users: dict[str, str] = {}
    for line in lines:
        found = orjson.loads(line)
        for known, ids in ((posts, found["posts"]), (users, found["users"])):
            for id_ in ids:
                known[id_] = min(found["at"], known.get(id_, found["at"]))
    return Forgotten(posts, users)


def read_ids(lines: Iterable[bytes], name: str) -> list[str]:
    """The ids of a file: one a line, # begins a comment. Raises UserError, with the numbers of bad lines."""
    ids, bad = [], []
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8", "backslashreplace")
        text = (text.removeprefix("\ufeff") if number == 1 else text).partition("#")[0].strip()
        if is_tweet_id(text):
            ids.append(text)
        elif text:
            bad.append(f"line {number}: {text[:40]!r}")
    if bad:
        more = f" and {len(bad) - SHOWN_BAD_LINES} more" if len(bad) > SHOWN_BAD_LINES else ""
        raise UserError(
            f"{name} must hold one tweet id a line, digits only; nothing was forgotten: "
            f"{', '.join(bad[:SHOWN_BAD_LINES])}{more}"
        )
    if not ids:
        raise UserError(f"{name} holds no tweet id: write one a line")
    return ids


def _retweeted(data: Json) -> Iterator[str]:
    for name in ("referenced_tweets", "referenced_posts"):
        yield from (id_ for kind, id_ in references(data.get(name)) if kind == "retweet")
