"""Which records must be forgotten: those that carry a post on the list, or one of a user on the list. Pure.

A record carries its own post and those that X sent along in full: the post that it retweets, quotes or answers. A
record that carries one of the list is forgotten whole, since X's bytes are kept as they are or not at all. A retweet
repeats the original's text, so it is forgotten by the original's id alone. An edit is a version of the same post.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kafka_cluster.message import NotATweet, is_tweet_id
from kafka_cluster.script import UserError
from tweet_document import KINDS
from tweet_shape import Post, Tweet, read_tweet

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
            tweet = read_tweet(value)
        except NotATweet:
            return None
        if not self.carried_by(tweet):
            return None
        return tweet.data.id if is_tweet_id(tweet.data.id) else ""

    def carried_by(self, tweet: Tweet) -> bool:
        """True for a tweet that carries a post of the list."""
        if not self:
            return False
        data = tweet.data
        return (
            self._is_on_it(data)
            or any(
                KINDS.get(each.type or "") == "retweet" and each.id in self.posts for each in data.references
            )
            or any(map(self._is_on_it, tweet.along))
        )

    def _is_on_it(self, post: Post) -> bool:
        return (
            post.id in self.posts
            or post.author_id in self.users
            or any(id_ in self.posts for id_ in post.versions)
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
