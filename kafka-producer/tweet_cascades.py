"""How tweets spread: who is retweeted is retweeted more, everything cools down, and the counts grow along."""

import math
import random
from collections import deque
from typing import Any

Json = dict[str, Any]

POOL, WINDOW = 3_000, 400
"""Tweets that can still be answered or passed on, and the latest spreads that are copied; both bound the memory."""
COPIED, HOTTER_OF_TWO = 0.7, 0.5
"""A tweet spreads because somebody saw it spread, and the hotter of two does in half of the cases: a hot one grows by
0.7 x 1.5 = 1.05 per round of the window, and takes at most (1.05 - 1) / 0.35 = 1/7 of everything."""
MEDIAN_LIFE_MINUTES, HALF_ASLEEP = 30.0, 0.8
MORE_THAN_TEXT = {"referenced_tweets", "attachments", "geo", "note_tweet"}


class Original:
    """A tweet that others may spread."""

    __slots__ = (
        "author", "born_ms", "fire", "language", "life_ms", "likes", "quotes", "reach", "replies", "retweets",
        "theme", "times", "tweet",
    )  # fmt: skip

    def __init__(
        self, chance: random.Random, tweet: Json, author: Json, language: str, theme: str, born_ms: int
    ) -> None:
        self.tweet, self.author, self.born_ms = tweet, author, born_ms
        self.language, self.theme = language, theme
        followers = author["public_metrics"]["followers_count"]
        self.fire = chance.paretovariate(1.3) * (10 + followers) ** 0.2
        self.life_ms = chance.lognormvariate(math.log(MEDIAN_LIFE_MINUTES), 0.9) * 60_000
        self.times = chance.uniform(1, 4)  # the stream sees a part of X only
        self.likes = chance.lognormvariate(math.log(4), 0.6)  # for each retweet
        self.reach = chance.lognormvariate(math.log(60), 0.6)  # for each like
        self.retweets = self.quotes = self.replies = 0

    def freshness(self, moment_ms: int) -> float:
        """1 at birth, towards 0 with age."""
        return math.exp(-max(0, moment_ms - self.born_ms) / self.life_ms)

    def counts(self, moment_ms: int) -> Json:
        """Its `public_metrics` at a moment; they never shrink."""
        retweets = int(self.retweets * self.times)
        seen = self.fire * math.log1p(max(0, moment_ms - self.born_ms) / 60_000)
        likes = int(retweets * self.likes + seen)
        return {
            "retweet_count": retweets,
            "reply_count": int(self.replies * self.times),
            "like_count": likes,
            "quote_count": int(self.quotes * self.times),
            "bookmark_count": likes // 12,
            "impression_count": int(likes * self.reach + seen * 20),
        }


class Cascades:
    """What spreads just now."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance
        self._pool: list[Original] = []
        self._next = 0
        self._window: deque[Original] = deque(maxlen=WINDOW)

    def add(self, original: Original) -> None:
        """A tweet was born; the oldest one is forgotten where there are too many."""
        if len(self._pool) < POOL:
            self._pool.append(original)
        else:
            self._pool[self._next] = original
            self._next = (self._next + 1) % POOL

    def add_old(self, original: Original) -> None:
        """A tweet that spread before the stream began, by as much as its author is known."""
        followers = original.author["public_metrics"]["followers_count"]
        original.retweets = min(int(self._random.paretovariate(0.8) * 8), followers // 6)
        original.quotes, original.replies = original.retweets // 9, original.retweets // 5
        self.add(original)
        self._window.extend([original] * min(WINDOW // 10, 1 + original.retweets // 50))

    def pick(self, moment_ms: int, awake: dict[str, float]) -> Original:
        """Which tweet is passed on or answered now; `awake`: how much each language writes."""
        chance = self._random
        for _ in range(4):
            original = self._seen_spreading(moment_ms) if chance.random() < COPIED else self._new(moment_ms)
            lively = min(1.0, awake[original.language] / HALF_ASLEEP)
            if chance.random() < original.freshness(moment_ms) * lively:
                break
        return original

    def spread(self, original: Original) -> None:
        """Somebody passed it on or answered, and others see that."""
        self._window.append(original)

    def plain_post(self) -> Original:
        """One of the tweets in reach that are nothing but text."""
        while True:
            original = self._random.choice(self._pool)
            if not original.tweet.keys() & MORE_THAN_TEXT:
                return original

    def _seen_spreading(self, moment_ms: int) -> Original:
        chance, size = self._random, len(self._window)
        one = self._window[int(chance.random() * size)]
        if chance.random() >= HOTTER_OF_TWO:
            return one
        other = self._window[int(chance.random() * size)]
        return max(one, other, key=lambda original: original.fire * original.freshness(moment_ms))

    def _new(self, moment_ms: int) -> Original:
        chance, size = self._random, len(self._pool)
        some = [self._pool[int(chance.random() * size)] for _ in range(4)]
        return max(some, key=lambda original: original.fire * original.freshness(moment_ms))
