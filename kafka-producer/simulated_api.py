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
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from simulated_rules import PROBLEM, Rules
from simulated_stream import Births, Stream
from x_simulator import Options

Json = dict[str, Any]

TOKEN = "simulated"  # noqa: S105
PAGE, SMALLEST_PAGE, LARGEST_PAGE = 10, 10, 100


class Api:
    """The endpoints."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rules = Rules()
        self._births = Births(options)
        self._stream = Stream(options, self._births)
        self._faults = deque(options.faults)

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
        return web.json_response({"token_type": "bearer", "access_token": TOKEN})

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

    async def get_rules(self, request: web.Request) -> web.Response:
        """The rules that are there."""
        return _unauthorized(request) or web.json_response(self._rules.all())

    async def change_rules(self, request: web.Request) -> web.Response:
        """Add or delete; 201 where something was created, 200 else, also where everything was refused."""
        if refusal := _unauthorized(request):
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
        fault = self._faults.popleft() if self._faults else {}
        if "status" in fault:
            body = fault.get("body") or {"title": "Refused", "detail": "by the simulator"}
            return web.json_response(body, status=fault["status"], headers=fault.get("headers"))
        if self._stream.connected:
            detail = "This stream is currently at the maximum allowed connection limit."
            return _no_connection(429, detail, "TooManyConnections")
        if refusal := _unauthorized(request):
            return refusal
        if not self._rules:
            detail = (
                "You must define rules using the POST /2/tweets/search/stream/rules endpoint before connecting to "
                "filtered stream."
            )
            return _no_connection(409, detail, "RuleConfigurationIssue")
        return await self._stream.serve(request, fault)

    async def search(self, request: web.Request) -> web.Response:
        """Recent tweets, newest first, in pages. The query is not looked at: all that was born is found."""
        if refusal := _unauthorized(request):
            return refusal
        query = request.query
        try:
            since, size = int(query.get("since_id", 0)), int(query.get("max_results", PAGE))
            before = int(query["next_token"], 36) if "next_token" in query else None
        except ValueError:
            return _invalid("since_id, max_results or next_token is not what it should be")
        if not query.get("query") or not SMALLEST_PAGE <= size <= LARGEST_PAGE:
            return _invalid(f"query must be given, and max_results be {SMALLEST_PAGE} to {LARGEST_PAGE}")
        if before is None and not self._stream.connected:
            await self._births.catch_up()
        found = list(islice(self._births.newest_first(before, since), size + 1))
        return web.json_response(
            _page(found[:size], len(found) > size), dumps=lambda body: orjson.dumps(body).decode()
        )


def _page(found: list[tuple[int, bytes]], more: bool) -> Json:
    """One `includes` for all tweets of a page; of what is in it twice, the newest."""
    payloads = [orjson.loads(line) for _, line in found]
    includes: dict[str, dict[str, Json]] = {}
    for payload in payloads:
        for kind, objects in payload["includes"].items():
            for item in objects:
                includes.setdefault(kind, {}).setdefault(item.get("id") or item["media_key"], item)
    meta: Json = {"result_count": len(found)}
    if not found:
        return {"meta": meta}
    meta |= {"newest_id": str(found[0][0]), "oldest_id": str(found[-1][0])}
    if more:
        meta["next_token"] = _base_36(found[-1][0])
    data = [payload["data"] for payload in payloads]
    return {
        "data": data,
        "includes": {kind: [*items.values()] for kind, items in includes.items()},
        "meta": meta,
    }


def _base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


# refusals, in X's words


def _unauthorized(request: web.Request) -> web.Response | None:
    if request.headers.get("authorization") == f"Bearer {TOKEN}":
        return None
    body = {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
    return web.json_response(body, status=401)


def _no_connection(status: int, detail: str, issue: str) -> web.Response:
    body = {
        "title": "ConnectionException", "detail": detail, "connection_issue": issue,
        "type": f"{PROBLEM}streaming-connection",
    }  # fmt: skip
    return web.json_response(body, status=status)


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there are no sessions, Ctrl-C comes here too
    asyncio.run(serve(Options(**json.loads(sys.stdin.buffer.readline()))))


if __name__ == "__main__":
    main()
