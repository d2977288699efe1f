"""The simulated X's recent search: pages as X makes them, and how often it may be asked."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

Json = dict[str, Any]

PAGE, SMALLEST_PAGE, LARGEST_PAGE = 10, 10, 100


class Window:
    """So many requests in so many seconds; X says in headers how many are left, and until when."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit, self._seconds = limit, seconds
        self._taken: deque[float] = deque()

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether a request is allowed now, and the headers of its answer."""
        now = time.time()
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        allowed = len(self._taken) < self._limit
        if allowed:
            self._taken.append(now)
        return allowed, {
            "x-rate-limit-limit": str(self._limit),
            "x-rate-limit-remaining": str(self._limit - len(self._taken)),
            "x-rate-limit-reset": str(int(self._taken[0] + self._seconds) + 1),
        }


def search_page(
    query: Mapping[str, str], newest_first: Callable[[int | None, int], Iterator[tuple[int, bytes]]],
    translate: Callable[[bytes], bytes],
) -> Json:  # fmt: skip
    """The answer to a request. The query is not looked at: all that was born is found. Raises ValueError."""
    try:
        since, size = int(query.get("since_id", 0)), int(query.get("max_results", PAGE))
        before = int(query["next_token"], 36) if "next_token" in query else None
        until = int(query["until_id"]) if "until_id" in query else None
    except ValueError:
        raise ValueError("since_id, until_id, max_results or next_token is not what it should be") from None
    if not query.get("query") or not SMALLEST_PAGE <= size <= LARGEST_PAGE:
        raise ValueError(f"query must be given, and max_results be {SMALLEST_PAGE} to {LARGEST_PAGE}")
    bounds = [bound for bound in (before, until) if bound is not None]
    found = list(islice(newest_first(min(bounds, default=None), since), size + 1))
    return _page([(id_, translate(line)) for id_, line in found[:size]], len(found) > size)


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
