"""What the simulated X sends: tweets as they are born, keep-alives, and the faults that a test asks for."""

import asyncio
import socket
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulated_births import MOST_AT_ONCE, Births
from simulated_oddities import disconnect, odd_parts
from simulated_words import in_posts
from x_simulator import ENDINGS, Options

Json = dict[str, Any]
Write = Callable[[bytes], Awaitable[None]]

TICK_SECONDS = 0.02
KERNEL_BYTES = 64 << 10
"""What the kernel may hold of a stream, so that what waits for its reader waits here, where it is seen."""
UNLIMITED_BYTES = 1 << 40
LINGER_SECONDS = 10.0
"""How long a reader that was too slow may still take what waits for it, before its connection is gone."""


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
            _let_wait(request)
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
            if self._is_too_slow(request):
                await write(disconnect("SlowReader"))
                _hang_up(request)
                return
            if fault and sent >= after:
                for part in odd_parts(fault, last, self._translate):
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

    def _is_too_slow(self, request: web.Request) -> bool:
        """Whether more waits for the reader than X lets wait."""
        transport = request.transport
        return transport is not None and transport.get_write_buffer_size() > self._options.most_waiting_bytes


def _let_wait(request: web.Request) -> None:
    """Let `write` never wait for the reader: what waits is looked at instead."""
    if request.transport:
        request.transport.set_write_buffer_limits(UNLIMITED_BYTES)
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)


def _hang_up(request: web.Request) -> None:
    if request.transport:
        asyncio.get_running_loop().call_later(LINGER_SECONDS, request.transport.abort)


async def _until_gone(request: web.Request) -> None:
    while request.transport and not request.transport.is_closing():
        await asyncio.sleep(TICK_SECONDS)
