"""A local server that speaks X's API v2: token, rules, filtered stream, recent search. No key, no network, no cost.

Started as a process of its own (`python x_simulator.py`), so that it keeps its pace whatever the reader does; it ends
when its standard input does, hence with the process that started it. `Simulator` does both.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from kafka_cluster.message import timestamp
from tweet_generator import TweetGenerator

Json = dict[str, Any]

KEEP_ALIVE_SECONDS = 20.0  # X promises one at least that often
TICK_SECONDS = 0.02
SEARCHABLE = 20_000
MAX_RULES, MAX_RULE_LENGTH = 1_000, 1_024
PROBLEM = "https://api.twitter.com/2/problems/"


@dataclass
class Options:
    """How the simulated X behaves. `faults`: what the next connections to the stream meet, in order.

    A fault is {"status": 429, "headers": {...}}, answered instead of a stream, or {"after": N, "then": KIND}: after N
    tweets the stream is ended by KIND: close, cut (in the middle of a line), or goes on behind one line more: half,
    huge, utf8, disconnect (a control message).
    """

    rate: float = 300.0
    seed: int = 1
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS
    limit: int | None = None
    """Send so many tweets, then only keep-alives."""
    faults: list[Json] = field(default_factory=list)


class Simulator:
    """A running simulator: `with Simulator(Options(rate=100)) as x: ... x.url`."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self.url = ""

    def __enter__(self) -> "Simulator":
        command = [sys.executable, str(Path(__file__)), "--options", json.dumps(vars(self._options))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout  # noqa: S101 - it is a pipe
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the simulator did not start")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout  # noqa: S101
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)


class Api:
    """The endpoints, and what X would know: rules, recent tweets, who is connected."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._generator = TweetGenerator(options.seed, datetime.now(UTC))
        self._rules: dict[str, Json] = {}
        self._recent: deque[bytes] = deque(maxlen=SEARCHABLE)
        self._connected = False
        self._sent = 0
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
        if not request.headers.get("authorization", "").startswith("Basic "):
            return _problem(403, "Forbidden", "Unable to verify your credentials")
        return web.json_response({"token_type": "bearer", "access_token": "simulated"})

    async def get_rules(self, request: web.Request) -> web.Response:
        """The rules that are there."""
        rules = list(self._rules.values())
        body: Json = {"meta": {"sent": timestamp(), "result_count": len(rules)}}
        return web.json_response(({"data": rules} if rules else {}) | body)

    async def change_rules(self, request: web.Request) -> web.Response:
        """Add or delete; what is refused is in `errors`, with a status of 2xx all the same."""
        body, dry_run = await request.json(), request.query.get("dry_run") == "true"
        if "delete" in body:
            gone = [id_ for id_ in body["delete"].get("ids", []) if id_ in self._rules]
            for id_ in [] if dry_run else gone:
                del self._rules[id_]
            return web.json_response({"meta": {"sent": timestamp(), "summary": {"deleted": len(gone)}}})
        created: list[Json] = []
        errors: list[Json] = []
        values = {rule["value"]: id_ for id_, rule in self._rules.items()}
        for rule in body.get("add", []):
            if rule["value"] in values:
                errors.append({
                    "value": rule["value"], "id": values[rule["value"]], "title": "DuplicateRule",
                    "type": f"{PROBLEM}duplicate-rules",
                })  # fmt: skip
            elif not rule["value"].strip() or len(rule["value"]) > MAX_RULE_LENGTH:
                errors.append({
                    "value": rule["value"], "details": [f"rule must be 1 to {MAX_RULE_LENGTH} characters long"],
                    "title": "UnprocessableEntity", "type": f"{PROBLEM}invalid-rules",
                })  # fmt: skip
            else:
                created.append({"id": str(1_866_021_953_423 + len(self._rules) + len(created))} | rule)
        if not dry_run:
            self._rules |= {rule["id"]: rule for rule in created}
        answer = {"data": created, "errors": errors, "meta": {"sent": timestamp()}}
        return web.json_response({key: value for key, value in answer.items() if value}, status=201)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The filtered stream: one JSON object a line, CR LF; an empty line now and then."""
        fault = self._faults.popleft() if self._faults else {}
        if "status" in fault:
            return _problem(fault["status"], "Refused", "by the simulator", fault.get("headers"))
        if self._connected:
            return _problem(
                429, "ConnectionException", "This stream is currently at the maximum allowed connection limit.",
                connection_issue="TooManyConnections",
            )  # fmt: skip
        if not self._rules:
            return _problem(
                409,
                "ConnectionException",
                "Rules must be configured",
                connection_issue="RuleConfigurationIssue",
            )
        response = web.StreamResponse(headers={"content-type": "application/json; charset=utf-8"})
        await response.prepare(request)
        self._connected = True
        try:
            await self._pour(response, fault)
        except (ConnectionResetError, asyncio.CancelledError):
            pass
        finally:
            self._connected = False
        if request.transport and fault.get("then") == "cut":
            request.transport.abort()
        return response

    async def _pour(self, response: web.StreamResponse, fault: Json) -> None:
        quiet_since = due = time.monotonic()
        sent = 0
        while True:
            now = time.monotonic()
            lines: list[bytes] = []
            while (
                due <= now
                and self._may_send(len(lines))
                and (not fault or sent + len(lines) < fault["after"])
            ):
                due += 1 / self._options.rate
                lines.append(self._generator.line(int(time.time() * 1000)))
            if lines:
                self._recent.extend(lines)
                self._sent += len(lines)
                sent += len(lines)
                quiet_since = now
                await response.write(b"\r\n".join([*lines, b""]))
            elif now - quiet_since >= self._options.keep_alive_seconds:
                quiet_since = now
                await response.write(b"\r\n")
            if fault and sent >= fault["after"]:
                if not await self._trouble(response, fault["then"]):
                    return
                fault = {}
            await asyncio.sleep(TICK_SECONDS)

    async def _trouble(self, response: web.StreamResponse, kind: str) -> bool:
        """Do what the fault says; True if the stream goes on."""
        line = self._generator.line(int(time.time() * 1000))
        if kind == "cut":
            await response.write(line[: len(line) // 2])
        odd = {
            "half": line[: len(line) // 2],
            "huge": b'{"data":{"id":"1","text":"' + b"x" * 2_000_000 + b'"}}',
            "utf8": b'{"data":{"id":"2","text":"\xff\xfe"}}',
            "disconnect": orjson.dumps({"errors": [{
                "title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect",
                "detail": "This stream has been disconnected upstream for operational reasons.",
                "type": f"{PROBLEM}operational-disconnect",
            }]}),
        }  # fmt: skip
        if kind in odd:
            await response.write(odd[kind] + b"\r\n")
        return kind in odd and kind != "disconnect"

    def _may_send(self, more: int) -> bool:
        return self._options.limit is None or self._sent + more < self._options.limit

    async def search(self, request: web.Request) -> web.Response:
        """Recent tweets, newest first, in pages; one `includes` for all tweets of a page."""
        since = int(request.query.get("since_id", 0))
        size = int(request.query.get("max_results", 10))
        skip = int(request.query.get("next_token", 0))
        found = [
            payload
            for payload in map(orjson.loads, reversed(self._recent))
            if int(payload["data"]["id"]) > since
        ]
        page = found[skip : skip + size]
        includes: dict[str, dict[str, Json]] = {}
        for payload in page:
            for kind, objects in payload["includes"].items():
                includes.setdefault(kind, {}).update({item["id"]: item for item in objects})
        meta: Json = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0]["data"]["id"], "oldest_id": page[-1]["data"]["id"]}
        if len(found) > skip + size:
            meta["next_token"] = str(skip + size)
        data = [payload["data"] for payload in page]
        body = {"data": data, "includes": {kind: list(items.values()) for kind, items in includes.items()}}
        return web.json_response((body if page else {}) | {"meta": meta})


def _problem(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None, **more: str
) -> web.Response:
    body = {"title": title, "detail": detail, "type": f"{PROBLEM}streaming-connection", **more}
    return web.json_response(body, status=status, headers=headers)


async def _serve(options: Options) -> None:
    runner = web.AppRunner(Api(options).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.5)
    await site.start()
    port = runner.addresses[0][1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started us is gone
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON; see Options")
    asyncio.run(_serve(Options(**parser.parse_args().options)))


if __name__ == "__main__":
    main()
