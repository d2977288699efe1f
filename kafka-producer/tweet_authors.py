"""The people of the generated stream: few write much, few have many followers."""

import random
from datetime import UTC, datetime
from typing import Any

from kafka_cluster.message import timestamp

Json = dict[str, Any]

AUTHORS = 20_000


class Authors:
    """User objects as in `includes.users`; the same author in every run, whoever is met first."""

    def __init__(self, words: Json) -> None:
        self._words = words
        self._met: dict[int, Json] = {}

    def draw(self, chance: random.Random) -> Json:
        """Whoever writes next: the rank is drawn by a Pareto law."""
        rank = int(40 * chance.paretovariate(0.6) - 40) % AUTHORS
        if rank not in self._met:
            self._met[rank] = self._author(rank)
        return self._met[rank]

    def _author(self, rank: int) -> Json:
        chance = random.Random(f"author {rank}")
        followers = int(min(chance.paretovariate(0.55) * 12, 60_000_000))
        kind = chance.choices(("none", "blue", "business", "government"), (85, 13, 1.5, 0.5))[0]
        first, second = chance.choice(self._words["names"]), chance.choice(self._words["second_names"])
        return {
            "id": str(10_000_000 + rank * 7919),
            "name": f"{first} {second}".title(),
            "username": f"{first}_{second}{rank}"[-15:].lstrip("_"),
            "created_at": x_time(1_230_000_000_000 + chance.randrange(500_000_000_000)),
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


def x_time(moment_ms: int) -> str:
    """Milliseconds since 1970 -> a time as X writes it."""
    return timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))
