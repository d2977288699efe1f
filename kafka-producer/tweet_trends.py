"""What people talk about, moment by moment, and in which language."""

import math
import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

Json = dict[str, Any]

REFRESH_MS = 1_000
MOST_WAVES, WAVE_EVERY_SECONDS, TALLEST = 6, 20.0, 5.0
MEDIAN_RISE_SECONDS, SHORTEST_RISE, LONGEST_RISE = 40.0, 3.0, 1_800.0
LASTS = 8.0
"""A wave is over after so many times its rise."""
AWAKE = (
    1.2, 0.8, 0.5, 0.35, 0.3, 0.35, 0.6, 1.0, 1.4, 1.5, 1.4, 1.4,
    1.7, 1.6, 1.4, 1.4, 1.5, 1.7, 1.9, 2.1, 2.3, 2.4, 2.2, 1.7,
)  # fmt: skip
"""How much people write in each hour of their own day."""


@dataclass(frozen=True)
class Wave:
    """Something happens: talk about a theme rises within `rise_ms` and then ebbs, in one language or in all."""

    theme: str
    language: str | None
    born_ms: int
    rise_ms: float
    height: float
    event: int
    """Which of the theme's event hashtags it carries."""

    def strength(self, moment_ms: int) -> float:
        """0 at its birth, `height` at its peak."""
        age = (moment_ms - self.born_ms) / self.rise_ms
        return self.height * age * math.exp(1 - age) if 0 < age < LASTS else 0.0


class Trends:
    """Languages that sleep at night, and in each themes by a long-tailed law, of which some rise and fall."""

    def __init__(self, chance: random.Random, words: Json, start_ms: int) -> None:
        self._random = chance
        self._languages: Json = words["languages"]
        self._themes: Json = words["themes"]
        self._waves = [self._wave(start_ms - chance.randrange(120_000)) for _ in range(3)]
        self.awake: dict[str, float] = {}
        """How much each language writes now: 0.3 in its night to 2.4 in its evening."""
        self._refreshed_ms = start_ms
        self._refresh(start_ms)

    def at(self, moment_ms: int) -> tuple[str, str, str | None]:
        """A language, a theme of it, and the hashtag of what happens just now, if something does."""
        if moment_ms - self._refreshed_ms >= REFRESH_MS:
            self._refresh(moment_ms)
        language = self._random.choices(self._names, cum_weights=self._language_weights)[0]
        theme = self._random.choices(
            self._languages[language]["themes"], cum_weights=self._theme_weights[language]
        )[0]
        return language, theme, self.event(language, theme)

    def event(self, language: str, theme: str) -> str | None:
        """The hashtag of what happens in a theme just now, if something does."""
        return self._events.get((language, theme))

    def _refresh(self, moment_ms: int) -> None:
        elapsed = max(0, moment_ms - self._refreshed_ms) / 1_000
        self._refreshed_ms = moment_ms
        self._waves = [wave for wave in self._waves if moment_ms - wave.born_ms < LASTS * wave.rise_ms]
        if len(self._waves) < MOST_WAVES and self._random.random() < elapsed / WAVE_EVERY_SECONDS:
            self._waves.append(self._wave(moment_ms))
        self._names = list(self._languages)
        self.awake = {name: _awake(words, moment_ms) for name, words in self._languages.items()}
        weights = {
            name: {theme: 1 / (rank + 1) ** 0.7 for rank, theme in enumerate(words["themes"])}
            for name, words in self._languages.items()
        }
        self._events = self._raise(weights, moment_ms)
        self._theme_weights = {name: list(accumulate(themes.values())) for name, themes in weights.items()}
        self._language_weights = list(
            accumulate(self._languages[name]["weight"] * self.awake[name] for name in self._names)
        )

    def _raise(self, weights: dict[str, dict[str, float]], moment_ms: int) -> dict[tuple[str, str], str]:
        """Add the waves to the weights; returns the event hashtag of each (language, theme) that has one."""
        events = {}
        for wave in self._waves:
            strength = wave.strength(moment_ms)
            for language in [wave.language] if wave.language else self._names:
                if wave.theme in weights[language] and strength > 0.2:
                    weights[language][wave.theme] += strength
                    tags = self._themes[wave.theme][language]["events"]
                    events[language, wave.theme] = tags[wave.event % len(tags)]
        return events

    def _wave(self, born_ms: int) -> Wave:
        chance, names = self._random, list(self._languages)
        language = chance.choices(names, [words["weight"] for words in self._languages.values()])[0]
        rise = chance.lognormvariate(math.log(MEDIAN_RISE_SECONDS), 1.2)
        return Wave(
            theme=chance.choice(self._languages[language]["themes"]),
            language=language if chance.random() < 0.5 else None,
            born_ms=born_ms,
            rise_ms=min(max(rise, SHORTEST_RISE), LONGEST_RISE) * 1_000,
            height=min(chance.paretovariate(1.3), TALLEST),
            event=chance.randrange(12),
        )


def _awake(words: Json, moment_ms: int) -> float:
    """The mean of the time zones in which a language is at home."""
    zones = [_awake_at(moment_ms / 3_600_000 + offset) for offset in words["utc_offsets"]]
    return sum(zones) / len(zones)


def _awake_at(hour: float) -> float:
    whole = math.floor(hour)
    now, then = AWAKE[whole % 24], AWAKE[(whole + 1) % 24]
    return now + (then - now) * (hour - whole)
