"""What the simulated X sends: tweets as they are born, keep-alives, and the faults that a test asks for."""

import asyncio
import random
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from simulated_words import in_posts
from tweet_generator import TweetGenerator
from x_simulator import ENDINGS, Options

Json = dict[str, Any]
Write = Callable[[bytes], Awaitable[None]]

TICK_SECONDS = 0.02
MOST_AT_ONCE = 500
"""Tweets made without letting others have their turn: about 40 ms."""
SEARCHABLE = 20_000
HUGE_BYTES = 2_000_000
DISCONNECT = {
    "errors": [{
        "title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect",
        "detail": "This stream has been disconnected upstream for operational reasons.",
        "type": "https://api.twitter.com/2/problems/operational-disconnect",
    }]
}  # fmt: skip


class Births:
    """Tweets at the moments when they are born, on a clock that begins with the first request."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._generator: TweetGenerator | None = None
        self._distances = random.Random(options.seed)
        self._rules: Sequence[Json] = ()
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=SEARCHABLE)
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
        while self._due_ms <= now_ms and len(lines) < most:
            lines.append(generator.line(int(self._due_ms)))
            self._due_ms += self._distances.expovariate(self._options.rate) * 1000
            self._remember(lines[-1])
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
        for id_, line in reversed(self._recent):
            if id_ <= since:
                return
            if before is None or id_ < before:
                yield id_, line

    def _running(self) -> TweetGenerator:
        if self._generator is None:
            start = self._options.start
            begin = datetime.fromisoformat(start) if start else datetime.now(UTC)
            self._generator = TweetGenerator(self._options.seed, begin, self._options.redelivered)
            if self._rules:
                self._generator.rules = self._rules
            self._due_ms = begin.timestamp() * 1000
            self._ahead_ms = self._due_ms - time.monotonic() * 1000
        return self._generator

    def _now_ms(self) -> float:
        return time.monotonic() * 1000 + self._ahead_ms

    def _remember(self, line: bytes) -> None:
        id_ = int(line.split(b'"', 6)[5])  # {"data":{"id":"...
        if not self._recent or id_ > self._recent[-1][0]:  # else it is delivered again
            self._recent.append((id_, bytes(memoryview(line))))  # orjson's own keeps three times its size


class Stream:
    """The one connection that X allows, and how much went through it in all."""

    def __init__(self, options: Options, births: Births) -> None:
        self._options, self._births = options, births
        self._sent = 0
        self.connected = False
        self._translate = in_posts if options.vocabulary == "posts" else bytes

    async def serve(self, request: web.Request, fault: Json) -> web.StreamResponse:
        """Send until the client goes away, or the fault ends it."""
        self.connected = True
        response = web.StreamResponse(headers={"content-type": "application/json; charset=utf-8"})
        try:
            if not self._finished():
                await self._births.catch_up()  # X sends what is new; what came before is lost, or searched
            write = await self._opened(request, response)
            await self._pour(request, write, fault)
        except (ConnectionResetError, asyncio.CancelledError):
            pass
        finally:
            self.connected = False
        if request.transport and fault.get("then") == "cut":
            request.transport.abort()
        return response

    async def _opened(self, request: web.Request, response: web.StreamResponse) -> Write:
        if not (self._options.gzip and "gzip" in request.headers.get("accept-encoding", "")):
            await response.prepare(request)
            return response.write
        response.headers["content-encoding"] = "gzip"
        packer = zlib.compressobj(wbits=31)
        await response.prepare(request)

        async def write(data: bytes) -> None:
            await response.write(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))

        return write

    async def _pour(self, request: web.Request, write: Write, fault: Json) -> None:
        quiet_since, sent, last = time.monotonic(), 0, b""
        after = fault.get("after", 0)
        while request.transport and not request.transport.is_closing():
            lines = self._births.take(self._room(after - sent if fault else MOST_AT_ONCE))
            if lines:
                self._sent += len(lines)
                sent += len(lines)
                last = lines[-1]
                await write(b"\r\n".join([*map(self._translate, lines), b""]))
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= self._options.keep_alive_seconds:
                await write(b"\r\n")
                quiet_since = time.monotonic()
            if fault and sent >= after:
                for part in _odd_parts(fault["then"], last):
                    await write(part)
                    await asyncio.sleep(TICK_SECONDS)
                if fault["then"] == "stall":
                    await _until_gone(request)
                if fault["then"] in ENDINGS:
                    return
                fault = {}
            await asyncio.sleep(0 if len(lines) == MOST_AT_ONCE else TICK_SECONDS)

    def _room(self, most: int) -> int:
        if self._options.limit is not None:
            most = min(most, self._options.limit - self._sent)
        return min(most, MOST_AT_ONCE)

    def _finished(self) -> bool:
        return self._options.limit is not None and self._sent >= self._options.limit


async def _until_gone(request: web.Request) -> None:
    while request.transport and not request.transport.is_closing():
        await asyncio.sleep(TICK_SECONDS)


def _odd_parts(kind: str, last: bytes) -> list[bytes]:
    """What a fault writes, piece by piece; `last`: the latest tweet's line."""
    if kind == "apart":
        return [last + b"\r", b"\n"]
    if kind in ("close", "stall"):
        return []
    if kind in ("withheld", "bare"):
        return [_odd_tweet(kind, last) + b"\r\n"]
    half = last[: len(last) // 2] or b'{"data":{"id":"1","te'
    odd = {
        "cut": half,
        "disconnect": orjson.dumps(DISCONNECT) + b"\r\n",
        "half": half + b"\r\n",
        "huge": b'{"data":{"id":"1","text":"' + b"x" * HUGE_BYTES + b'"}}\r\n',
        "utf8": b'{"data":{"id":"2","text":"\xff\xfe"}}\r\n',
        "redelivery": last + b"\r\n",
    }
    return [odd[kind]]


def _odd_tweet(kind: str, last: bytes) -> bytes:
    payload = orjson.loads(last or b'{"data":{"id":"1","text":""}}')
    if kind == "withheld":
        payload["data"]["withheld"] = {"copyright": False, "country_codes": ["DE"], "scope": "tweet"}
        return orjson.dumps(payload)
    return orjson.dumps({"data": {name: payload["data"][name] for name in ("id", "text")}})
