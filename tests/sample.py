"""Tweets for tests: small ones in the stream's shape, and the poison that a topic may hold."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

_numbers = itertools.count(1_900_000_000_000_000_000)


def tweet_lines(count: int) -> list[bytes]:
    """So many tweets, as lines without line end; no id is given twice in a test run."""
    return [
        json.dumps(
            {
                "data": {
                    "id": str(next(_numbers)),
                    "text": f"카프카 kafka カフカ number {number} #Kafka",
                    "created_at": "2026-11-23T12:00:00.000Z",
                    "lang": "ko",
                },
                "matching_rules": [{"id": "1", "tag": "kafka"}],
            },
            ensure_ascii=False,
        ).encode()
        for number in range(count)
    ]


def id_of(line: bytes) -> str:
    """The id of a tweet's line."""
    return json.loads(line)["data"]["id"]


POISON: dict[str, bytes | None] = {
    "no value": None,
    "an empty value": b"",
    "no JSON": b'{"data":{"id":"1","te',
    "bad UTF-8": b'{"data":{"id":"2","text":"\xff\xfe"}}',
    "a NUL": b'{"data":{"id":"3","text":"\x00"}}',
    "deep nesting": b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "no object": b"[1,2,3]",
    "no data": b'{"includes":{}}',
    "no id": b'{"data":{"text":"?"}}',
    "an id that is none": b'{"data":{"id":"../../etc","text":"?"}}',
    "two lines": b'{"data":{"text":"?"}\n}',
}


def odd_tweets() -> list[bytes]:
    """Tweets with an id whose other fields are not what X promises: a 40 KB keyword, wrong types."""
    first, second, third = (json.loads(line) for line in tweet_lines(3))
    first["data"]["lang"] = "x" * 40_000
    first["data"]["entities"] = {"hashtags": [{"tag": "y" * 40_000}]}
    second["data"] |= {"created_at": "yesterday", "public_metrics": "many", "entities": 7, "geo": []}
    third["includes"] = {"users": {"id": 1}, "tweets": [None, 3], "places": "here"}
    return [json.dumps(payload).encode() for payload in (first, second, third)]


@dataclass
class Record:
    """As much of a consumer's record as the archive looks at, for tests without Kafka."""

    value: bytes | None
    offset: int = 12
    partition: int = 3
    timestamp: int = 1_795_000_000_000
    key: bytes | None = b"1"
    headers: list[tuple[str, Any]] = field(default_factory=lambda: [("source", b"stream")])

    @property
    def size(self) -> int:
        """About its bytes."""
        return len(self.value or b"")
