"""What people talk about, moment by moment."""

import math
import random
from bisect import bisect
from itertools import accumulate
from typing import Any

Json = dict[str, Any]


class Trends:
    """What people talk about: themes by a long-tailed law, of which some rise and fall, within seconds or an hour."""

    def __init__(self, chance: random.Random, themes: list[Json]) -> None:
        self._random = chance
        self._themes = themes
        self._base = [1 / (rank + 1) ** 0.9 for rank in range(len(self._themes))]
        self._waves: list[tuple[int, int, int, float]] = []  # theme, born (ms), length (ms), height
        self._until_ms = 0
        self._weights: list[float] = []

    def at(self, moment_ms: int) -> tuple[Json, str]:
        """A theme and its leading hashtag at a moment."""
        if moment_ms >= self._until_ms:
            self._until_ms = moment_ms + 1_000
            self._weights = list(accumulate(self._current(moment_ms)))
        point = self._random.random() * self._weights[-1]
        theme = self._themes[bisect(self._weights, point)]
        tags = theme["tags"]
        return theme, tags[min(int(self._random.expovariate(0.9)), len(tags) - 1)]

    def _current(self, moment_ms: int) -> list[float]:
        self._waves = [wave for wave in self._waves if moment_ms - wave[1] < wave[2]]
        if len(self._waves) < 4 and self._random.random() < 0.08:
            length = int(min(self._random.lognormvariate(math.log(60), 1.0), 3_600) * 1000) + 15_000
            theme = self._random.randrange(len(self._themes))
            self._waves.append((theme, moment_ms, length, self._random.paretovariate(1.5)))
        weights: list[float] = list(self._base)
        for index, born, lasts, height in self._waves:
            weights[index] += height * math.sin(math.pi * (moment_ms - born) / lasts) ** 2
        return weights
