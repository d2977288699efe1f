"""The people of the generated stream: each at home in a language; few write much, few have many followers."""

import random
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from kafka_cluster.message import timestamp

Json = dict[str, Any]

PER_LANGUAGE = 30_000
REMEMBERED = 20_000
"""User objects kept, which bounds the memory; one that was forgotten is made again, the same."""
SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
SNOWFLAKE_USERS_MS = 1_456_000_000_000  # accounts made since 2016 have snowflakes as ids
USERNAME_LENGTH = 15


class Authors:
    """User objects as in `includes.users`; the same in every run, whoever is met first."""

    def __init__(self, words: Json) -> None:
        self._words = words
        self._languages = list(words["languages"])
        self._author = lru_cache(maxsize=REMEMBERED)(self._make)

    def draw(self, chance: random.Random, language: str) -> Json:
        """Whoever of this language writes next: the rank is drawn by a Pareto law."""
        return self._author(language, int(40 * chance.paretovariate(0.6) - 40) % PER_LANGUAGE)

    def _make(self, language: str, rank: int) -> Json:
        chance = random.Random(f"{language} {rank}")
        words = self._words["languages"][language]
        number = rank * len(self._languages) + self._languages.index(language)
        born_ms = 1_230_000_000_000 + chance.randrange(500_000_000_000)
        kind = chance.choices(("none", "blue", "business", "government"), (85, 13, 1.5, 0.5))[0]
        fame = 40 if kind in ("business", "government") else 1
        followers = min(int(chance.paretovariate(0.6) * 30 * fame), 40_000_000)
        return {
            "id": str(_user_id(born_ms, number)),
            "name": chance.choice(words["names"]) + _spaced(language, chance.choice(words["surnames"])),
            "username": _username(chance, words["handles"], self._words["handle_ends"], number),
            "created_at": x_time(born_ms),
            "verified": kind != "none",
            "verified_type": kind,
            "protected": False,
            "public_metrics": {
                "followers_count": followers,
                "following_count": int(chance.paretovariate(0.8) * 60) % 7_500,
                "tweet_count": int(chance.paretovariate(0.6) * 100) % 900_000,
                "listed_count": followers // 150,
            },
        }


def _user_id(born_ms: int, number: int) -> int:
    if born_ms >= SNOWFLAKE_USERS_MS:
        return (born_ms - SNOWFLAKE_EPOCH_MS) << 22 | number
    return 10_000_000 + number * 7_919


def _username(chance: random.Random, handles: list[str], ends: list[str], number: int) -> str:
    """Nobody else's: the number is the author's own."""
    handle = chance.choice(handles)
    name = f"{handle}_{chance.choice(ends)}{number}"
    return name if len(name) <= USERNAME_LENGTH else f"{handle}{number}"


def _spaced(language: str, surname: str) -> str:
    return surname if language in ("ko", "ja") or not surname else f" {surname}"


def x_time(moment_ms: int) -> str:
    """Milliseconds since 1970 -> a time as X writes it."""
    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))
