"""The simulated X's server: a process that `x_simulator.Simulator` starts; reads its options from standard input."""

import asyncio
import base64
import binascii
import json
import os
import signal
import sys
import threading
from collections import deque
from typing import Any

import orjson
from aiohttp import web

from kafka_cluster.script import set_up_logging
from kafka_cluster.settings import load_settings
from simulated_births import Births
from simulated_rules import PROBLEM, Rules
from simulated_search import Window, search_page
from simulated_stream import Stream
from simulated_words import in_posts
from x_simulator import Options

Json = dict[str, Any]

CONNECTS = 50


class Api:
    """The endpoints."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rules = Rules()
        self._births = Births(options)
        self._stream = Stream(options, self._births)
        self._faults, self._search_faults = deque(options.faults), deque(options.search_faults)
        self._searches = Window(options.searches, options.window_seconds)
        self._connects = Window(CONNECTS, options.window_seconds)
        self._translate = in_posts if options.vocabulary == "posts" else bytes

    def application(self) -> web.Application:
        """The web application."""
        application = web.Application()
        application.add_routes([
            web.post("/oauth2/token", self.token),
            web.get("/2/tweets/search/stream/rules", self.get_rules),
            web.post("/2/tweets/search/stream/rules", self.change_rules),
            web.get("/2/tweets/search/stream", self.stream),
            web.get("/2/tweets/search/recent", self.search),
        ])  # fmt: skip
        return application

    async def token(self, request: web.Request) -> web.Response:
        """Client credentials -> a bearer token."""
        if (await request.post()).get("grant_type") != "client_credentials":
            error = {
                "code": 170,
                "label": "forbidden_missing_parameter",
                "message": "Missing required parameter: grant_type",
            }
            return web.json_response({"errors": [error]}, status=403)
        if not self._accepts(request.headers.get("authorization", "")):
            error = {
                "code": 99,
                "label": "authenticity_token_error",
                "message": "Unable to verify your credentials",
            }
            return web.json_response({"errors": [error]}, status=403)
        return web.json_response({"token_type": "bearer", "access_token": self._options.token})

    def _accepts(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        try:
            key, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        pair = (key, secret)
        return (
            scheme == "Basic"
            and all(pair)
            and (self._options.keys is None or pair == tuple(self._options.keys))
        )

    def _unauthorized(self, request: web.Request) -> web.Response | None:
        if request.headers.get("authorization") == f"Bearer {self._options.token}":
            return None
        body = {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
        return web.json_response(body, status=401)

    async def get_rules(self, request: web.Request) -> web.Response:
        """The rules that are there."""
        return self._unauthorized(request) or web.json_response(self._rules.all())

    async def change_rules(self, request: web.Request) -> web.Response:
        """Add or delete; 201 where something was created, 200 else, also where everything was refused."""
        if refusal := self._unauthorized(request):
            return refusal
        try:
            body = await request.json()
            added, deleted = body.get("add"), body.get("delete")
            dry_run = request.query.get("dry_run") == "true"
            if deleted is not None:
                answer = self._rules.delete(deleted.get("ids", []), deleted.get("values", []), dry_run)
            else:
                answer = self._rules.add(added, dry_run)
        except (ValueError, TypeError, AttributeError):
            return _invalid("the body must be JSON with a list of rules to add, or ids or values to delete")
        self._births.set_rules(self._rules.matching())
        return web.json_response(answer, status=201 if "data" in answer else 200)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The filtered stream: one JSON object a line, CR LF; an empty line now and then."""
        allowed, headers = self._connects.take()
        if not allowed:
            return _no_connection(429, "Too many connects in 15 minutes", "TooManyConnections", headers)
        fault = self._faults.popleft() if self._faults else {}
        if "status" in fault:
            return _fault(fault, {})
        if self._stream.connected:
            detail = "This stream is currently at the maximum allowed connection limit."
            return _no_connection(429, detail, "TooManyConnections", headers)
        if refusal := self._unauthorized(request):
            return refusal
        if not self._rules:
            detail = (
                "You must define rules using the POST /2/tweets/search/stream/rules endpoint before connecting to "
                "filtered stream."
            )
            return _no_connection(409, detail, "RuleConfigurationIssue")
        return await self._stream.serve(request, fault)

    async def search(self, request: web.Request) -> web.Response:
        """Recent tweets, newest first, in pages; in a window of 15 minutes as many times as X allows."""
        allowed, headers = self._searches.take()
        if not allowed:
            body = {
                "title": "Too Many Requests",
                "detail": "Too Many Requests",
                "type": "about:blank",
                "status": 429,
            }
            return web.json_response(body, status=429, headers=headers)
        if fault := self._search_faults.popleft() if self._search_faults else None:
            return _fault(fault, headers)
        if refusal := self._unauthorized(request):
            return refusal
        if not request.query.get("next_token") and not self._stream.connected:
            await self._births.catch_up()
        try:
            page = search_page(request.query, self._births.newest_first, self._translate)
        except ValueError as error:
            return _invalid(str(error))
        return web.json_response(page, headers=headers, dumps=lambda body: orjson.dumps(body).decode())


# refusals, in X's words


def _fault(fault: Json, headers: dict[str, str]) -> web.Response:
    body = fault.get("body") or {"title": "Refused", "detail": "by the simulator"}
    return web.json_response(body, status=fault["status"], headers=headers | fault.get("headers", {}))


def _no_connection(
    status: int, detail: str, issue: str, headers: dict[str, str] | None = None
) -> web.Response:
    body = {
        "title": "ConnectionException", "detail": detail, "connection_issue": issue,
        "type": f"{PROBLEM}streaming-connection",
    }  # fmt: skip
    return web.json_response(body, status=status, headers=headers)


def _invalid(message: str) -> web.Response:
    body = {
        "errors": [{"parameters": {}, "message": message}], "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.", "type": f"{PROBLEM}invalid-request",
    }  # fmt: skip
    return web.json_response(body, status=400)


# the process


async def serve(options: Options) -> None:
    """Listen, say where, and go on until the duration is over or whoever started us is gone."""
    runner = web.AppRunner(Api(options).application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    answer = await _listen(runner, options.port)
    if not _say(answer) or "error" in answer:
        return
    try:
        await asyncio.wait_for(_nobody_is_there(), options.duration)
    except TimeoutError:
        pass
    await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int) -> dict[str, str]:
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        return {"error": error.strerror or str(error)}
    return {"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}


def _say(answer: dict[str, str]) -> bool:
    """False where whoever started us has ended since."""
    try:
        print(json.dumps(answer), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True


async def _nobody_is_there() -> None:
    """Wait for the end of standard input, in a thread that does not hold up the end of the process."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        while os.read(0, 1024):
            pass
        loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=wait, daemon=True).start()
    await gone.wait()


def main() -> None:
    set_up_logging(load_settings().log_format)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there are no sessions, Ctrl-C comes here too
    asyncio.run(serve(Options(**json.loads(sys.stdin.buffer.readline()))))


if __name__ == "__main__":
    main()
