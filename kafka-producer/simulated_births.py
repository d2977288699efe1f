"""When the simulated X's tweets are born, and in which order they are delivered."""

import asyncio
import heapq
import itertools
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from tweet_authors import SNOWFLAKE_EPOCH_MS
from tweet_generator import TweetGenerator
from x_simulator import Options

Json = dict[str, Any]

MOST_AT_ONCE = 500
"""Tweets made without letting others have their turn: about 40 ms."""
SEARCHABLE = 20_000
SEQUENCE_BITS = 22  # of an id, below its milliseconds
LONGEST_DELAY_MS = 1_000
"""A tweet that is late is that late at most."""


class Births:
    """Tweets at the moments when they are born, on a clock that begins with the first request."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._generator: TweetGenerator | None = None
        self._distances, self._delays = random.Random(options.seed), random.Random(options.seed)
        self._rules: Sequence[Json] = ()
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=SEARCHABLE)
        self._late: list[tuple[float, int, bytes]] = []  # a heap: when it is due, number, line
        self._numbers = itertools.count()
        self._ready: list[tuple[bytes, bytes]] = []  # ids and lines that are sent over and over
        self._due_ms = self._ahead_ms = 0.0

    def set_rules(self, rules: Sequence[Json]) -> None:
        """What the next tweets say that they came by; without rules there is no stream to say it."""
        self._rules = rules
        if self._generator and rules:
            self._generator.rules = rules

    def take(self, most: int, until_ms: float | None = None) -> list[bytes]:
        """The lines, at most so many, that have become due since the last call, until now or an earlier moment."""
        generator = self._running()
        now_ms = until_ms or self._now_ms()
        lines: list[bytes] = []
        while len(lines) < most:
            if self._late and self._late[0][0] <= min(now_ms, self._due_ms):
                lines.append(heapq.heappop(self._late)[2])
                continue
            if self._due_ms > now_ms:
                break
            line = self._born(generator)
            if self._options.disorder and self._delays.random() < self._options.disorder:
                due_ms = self._due_ms + self._delays.random() * LONGEST_DELAY_MS
                heapq.heappush(self._late, (due_ms, next(self._numbers), line))
            else:
                lines.append(line)
            self._due_ms += self._distances.expovariate(self._options.rate) * 1000
        return lines

    async def catch_up(self) -> None:
        """Let those be born that nobody heard; of a long silence, as many of the last as can be searched."""
        self._running()
        now_ms = self._now_ms()
        self._due_ms = max(self._due_ms, now_ms - SEARCHABLE / self._options.rate * 1000)
        while self.take(MOST_AT_ONCE, now_ms):
            await asyncio.sleep(0)

    def newest_first(self, before: int | None, since: int) -> Iterator[tuple[int, bytes]]:
        """Ids and lines of what can be searched, with since < id < before; none twice."""
        if lag := self._options.search_lag_seconds:
            found = _first_id(self._now_ms() - lag * 1000)
            before = found if before is None else min(before, found)
        for id_, line in reversed(self._recent):
            if id_ <= since:
                return
            if before is None or id_ < before:
                yield id_, line

    def _running(self) -> TweetGenerator:
        if self._generator is None:
            begin = self._begin()
            self._generator = TweetGenerator(self._options.seed, begin, self._options.redelivered)
            if self._rules:
                self._generator.rules = self._rules
            if self._options.prebuilt:
                self._prebuild(self._generator, int(begin.timestamp() * 1000))
                begin = self._begin()
            self._due_ms = begin.timestamp() * 1000
            self._ahead_ms = self._due_ms - time.monotonic() * 1000
        return self._generator

    def _begin(self) -> datetime:
        start = self._options.start
        return datetime.fromisoformat(start) if start else datetime.now(UTC)

    def _prebuild(self, generator: TweetGenerator, moment_ms: int) -> None:
        lines = (bytes(memoryview(generator.line(moment_ms))) for _ in range(self._options.prebuilt))
        self._ready = [(b"%d" % _id_of(line), line) for line in lines]

    def _born(self, generator: TweetGenerator) -> bytes:
        if self._ready:
            number = next(self._numbers)
            id_, line = self._ready[number % len(self._ready)]
            new = _first_id(self._due_ms) + number % (1 << SEQUENCE_BITS)
            return line.replace(id_, b"%d" % new)
        line = generator.line(int(self._due_ms))
        self._remember(line)
        return line

    def _now_ms(self) -> float:
        return time.monotonic() * 1000 + self._ahead_ms

    def _remember(self, line: bytes) -> None:
        id_ = _id_of(line)
        if not self._recent or id_ > self._recent[-1][0]:  # else it is delivered again
            self._recent.append((id_, bytes(memoryview(line))))  # orjson's own keeps three times its size


def _first_id(milliseconds: float) -> int:
    """The lowest id of a tweet that is born at this moment."""
    return (int(milliseconds) - SNOWFLAKE_EPOCH_MS) << SEQUENCE_BITS


def _id_of(line: bytes) -> int:
    return int(line.split(b'"', 6)[5])  # {"data":{"id":"...
