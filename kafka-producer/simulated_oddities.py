"""What X sends beside plain tweets: its last words on a stream, and lines that are odd."""

from collections.abc import Callable
from typing import Any

import orjson

Json = dict[str, Any]

HUGE_BYTES = 2_000_000
PROBLEM = "https://api.twitter.com/2/problems/"
USUAL = "UpstreamOperationalDisconnect"
NOTHING_YET = b'{"data":{"id":"1","text":""}}'


def disconnect(kind: str) -> bytes:
    """The line that X ends a stream with, by its `disconnect_type`."""
    return orjson.dumps({"errors": [_problem(kind)]}) + b"\r\n"


def odd_parts(fault: Json, last: bytes, translate: Callable[[bytes], bytes]) -> list[bytes]:
    """What a fault writes, piece by piece; `last`: the latest tweet's line, to be translated into X's present words."""
    kind = fault["then"]
    if kind in ("withheld", "bare", "edit"):
        return [translate(_odd_tweet(kind, last)) + b"\r\n"]
    last = translate(last) if last else last
    if kind == "apart":
        return [last + b"\r", b"\n"]
    if kind in ("close", "stall"):
        return []
    if kind == "disconnect":
        return [disconnect(fault.get("disconnect_type", USUAL))]
    half = last[: len(last) // 2] or b'{"data":{"id":"1","te'
    odd = {
        "cut": half,
        "half": half + b"\r\n",
        "huge": b'{"data":{"id":"1","text":"' + b"x" * HUGE_BYTES + b'"}}\r\n',
        "utf8": b'{"data":{"id":"2","text":"\xff\xfe"}}\r\n',
        "problem": orjson.dumps(_problem(USUAL)) + b"\r\n",
        "redelivery": last + b"\r\n",
    }
    return [odd[kind]]


def _problem(kind: str) -> Json:
    return {
        "title": "operational-disconnect", "disconnect_type": kind, "type": f"{PROBLEM}operational-disconnect",
        "detail": "This stream has been disconnected for operational reasons.",
    }  # fmt: skip


def _odd_tweet(kind: str, last: bytes) -> bytes:
    payload = orjson.loads(last or NOTHING_YET)
    data = payload["data"]
    if kind == "bare":
        return orjson.dumps({"data": {name: data[name] for name in ("id", "text")}})
    if kind == "withheld":
        data["withheld"] = {"copyright": False, "country_codes": ["DE"], "scope": "tweet"}
        return orjson.dumps(payload)
    data["text"] += " (edited)"
    earlier = data.get("edit_history_tweet_ids", [data["id"]])
    data["id"] = str(int(data["id"]) + 1)
    data["edit_history_tweet_ids"] = [*earlier, data["id"]]
    return orjson.dumps(payload)
