"""Stretches without a connection, in which X's tweets were not heard."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from kafka_cluster.message import NotATweet, parse_tweet, tweet_id

SNOWFLAKES_SINCE_MS = 1_288_834_974_657


@dataclass
class Gap:
    """From, to (None: still open), why, and the newest id heard before. `filled`: None while it may still be."""

    since: str
    reason: str
    until: str | None = None
    last_id: str | None = None
    filled: bool | None = False

    def __str__(self) -> str:
        behind = f" after {self.last_id}" if self.last_id else ""
        return (
            f"gap from {self.since} to {self.until or 'the end'}{behind}, "
            f"{'filled' if self.filled else 'not filled'}: {self.reason}"
        )


def newest_id(lines: Iterable[bytes]) -> str | None:
    """The greatest id among lines; they need not be tweets."""
    ids = []
    for line in lines:
        try:
            ids.append(int(tweet_id(parse_tweet(line))))
        except NotATweet:
            pass
    return str(max(ids)) if ids else None


def id_at(moment: datetime) -> str:
    """The smallest id that a tweet of that moment can have."""
    return str(max(0, int(moment.timestamp() * 1000) - SNOWFLAKES_SINCE_MS) << 22)


def born_at(id_: str) -> datetime:
    """When the tweet with that id was born; true of ids since November 2010."""
    return datetime.fromtimestamp(((int(id_) >> 22) + SNOWFLAKES_SINCE_MS) / 1000, UTC)
