"""A tag cloud: words placed around the middle, the larger the more often, none over another."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

Width = Callable[[str, float], float]
LINE = 1.05
"""The height of a word as a part of its font size, with a little room."""


@dataclass(frozen=True)
class Word:
    """A word, its rank among all from 0 on, the middle of its place in pixels, and its font size."""

    text: str
    rank: int
    x: float
    y: float
    size: float
    width: float

    def meets(self, other: "Word") -> bool:
        """True where the two would touch."""
        gap = 4
        apart_x = abs(self.x - other.x) * 2 >= self.width + other.width + 2 * gap
        apart_y = abs(self.y - other.y) * 2 >= (self.size + other.size) * LINE
        return not (apart_x or apart_y)


def tag_cloud(
    words: Sequence[tuple[str, float]],
    width: float,
    height: float,
    sizes: tuple[float, float],
    measure: Width,
) -> list[Word]:
    """Place all words, the most frequent first; all become smaller until there is room.

    What has no room at the smallest size is left out.
    """
    smallest, largest = sizes
    while True:
        placed = _placed(words, width, height, (min(smallest, largest), largest), measure)
        if len(placed) == len(words) or largest < 8:
            return placed
        largest *= 0.88


def _placed(
    words: Sequence[tuple[str, float]],
    width: float,
    height: float,
    sizes: tuple[float, float],
    measure: Width,
) -> list[Word]:
    placed: list[Word] = []
    for rank, (text, value) in enumerate(words):
        size = _size(value, words[0][1], words[-1][1], sizes)
        word = Word(text, rank, 0, 0, size, measure(text, size))
        if found := _place(word, width, height, placed):
            placed.append(found)
    return placed


def _size(value: float, most: float, least: float, sizes: tuple[float, float]) -> float:
    part = math.sqrt((value - least) / (most - least)) if most > least else 1.0
    return round(sizes[0] + part * (sizes[1] - sizes[0]), 1)


def _place(word: Word, width: float, height: float, placed: list[Word]) -> Word | None:
    """The word at the free place that a spiral from the middle finds first."""
    half, high = word.width / 2, word.size * LINE / 2
    for step in range(1400):
        turn = step * 0.17
        x = width / 2 + turn * math.cos(turn) * width / height * 1.25
        y = height / 2 + turn * math.sin(turn) * 1.25
        if not (half <= x <= width - half and high <= y <= height - high):
            continue
        there = replace(word, x=round(x, 1), y=round(y, 1))
        if not any(there.meets(other) for other in placed):
            return there
    return None
