"""The same tweets in the words of X's OpenAPI 2.167 (August 2026): posts and reposts."""

from typing import Any

import orjson

RENAMED = {
    "edit_history_tweet_ids": "edit_history_post_ids", "referenced_tweets": "referenced_posts",
    "note_tweet": "note_post", "retweet_count": "repost_count",
}  # fmt: skip


def in_posts(line: bytes) -> bytes:
    """A line of the stream, in the later words."""
    payload = _renamed(orjson.loads(line))
    includes = payload.get("includes", {})
    if "tweets" in includes:
        includes["posts"] = includes.pop("tweets")
    return orjson.dumps(payload)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {RENAMED.get(name, name): _renamed(inner) for name, inner in value.items()}
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value
