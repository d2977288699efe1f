"""The shape of a record in the topic: key, value and headers, and those of a dead letter."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeGuard

import orjson
from msgspec import Struct

Headers = list[tuple[str, bytes]]

MAX_RECORD_BYTES = 1_000_000
"""The largest value that the producer sends: the topic takes batches of 1,048,588 bytes (Kafka's default
`max.message.bytes`), which leaves room for key, headers and the batch's own overhead."""


class NotATweet(ValueError):
    """A line or a value that holds no tweet in the stream's shape; the message is the reason."""


class ControlMessage(NotATweet):
    """An object without `data`: what X says about the stream itself, never a record."""


class TweetRecord(Struct, gc=False):
    """A record to be sent: the key is the tweet's id, the value the line as X sent it, unchanged bytes.

    `payload`: the value, parsed.
    """

    key: bytes
    value: bytes
    headers: Headers
    payload: dict


@dataclass(frozen=True)
class Origin:
    """Where a dead letter of a consumer group came from."""

    topic: str
    topic_id: str
    partition: int
    offset: int


def tweet_record(line: bytes, source: str, received_at: datetime | None = None) -> TweetRecord:
    """Make the record of one line, which is sent as it is, without the line end.

    Raises NotATweet for anything but `{"data": {"id": "<digits>", ...}, ...}` that fits into the topic.
    """
    value = line.rstrip(b"\r\n")
    if len(value) > MAX_RECORD_BYTES:
        raise NotATweet(
            f"too large: {len(value):,} bytes, more than the {MAX_RECORD_BYTES:,} that the topic takes"
        )
    headers = [("source", source.encode()), ("received_at", timestamp(received_at).encode())]
    payload = parse_tweet(value)
    return TweetRecord(tweet_id(payload).encode(), value, headers, payload)


def parse_tweet(value: bytes | None) -> dict:
    """Parse a record's value. Raises NotATweet unless it is an object whose `data` is an object."""
    if not value:
        raise NotATweet("no value" if value is None else "an empty value")
    try:
        payload = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise NotATweet(f"no JSON: {error}") from None
    if isinstance(payload, dict) and "data" not in payload:
        raise ControlMessage('no "data"')
    if not isinstance(payload, dict) or not isinstance(payload["data"], dict):
        raise NotATweet('no object with an object "data"')
    return payload


def tweet_id(payload: dict) -> str:
    """The id in `data`, as a string of digits. Raises NotATweet where there is none."""
    id_ = payload["data"].get("id")
    if is_tweet_id(id_):
        return id_
    raise NotATweet("data.id is not a string of up to 20 digits")


def is_tweet_id(value: object) -> bool:
    """True for a string of up to 20 digits: X's ids, of users too."""
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20


def timestamp(moment: datetime | None = None) -> str:
    """ISO 8601, UTC, with milliseconds, as X writes `created_at`; now, if no moment is given."""
    if moment is None:
        return timestamp_of(time.time_ns() // 1_000_000)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=1)  # many tweets have the same
def timestamp_of(milliseconds: int) -> str:
    """The same for a record's timestamp."""
    return timestamp(moment_of(milliseconds))


def moment_of(milliseconds: int) -> datetime:
    """A record's timestamp as a moment; the nearest, where a client wrote one that no calendar has."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return (datetime.min if milliseconds < 0 else datetime.max).replace(tzinfo=UTC)


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """The first header of that name as text, or None."""
    for key, value in headers:
        if key == name and value is not None:
            return value.decode("utf-8", "replace")
    return None


DEAD_LETTER_HEADERS = frozenset({
    "reason", "group", "origin_topic", "origin_topic_id", "origin_partition", "origin_offset", "whole_size",
    "whole_key_size", "dropped_headers", "lost_to_offset",
})  # fmt: skip
"""What a consumer group's dead letter has beside the record's own headers."""


def dead_letter_headers(reason: str, group: str, origin: Origin, **cut: int) -> Headers:
    """The headers of a record that a consumer group could not deliver; `cut`: what says that not all of it is here."""
    return _encoded(
        reason=reason, group=group, origin_topic=origin.topic, origin_topic_id=origin.topic_id,
        origin_partition=origin.partition, origin_offset=origin.offset, **cut,
    )  # fmt: skip


def refused_line_headers(reason: str, source: str, line: int, size: int) -> Headers:
    """The headers of a line that the producer could not send as a tweet; `size`: its length in bytes."""
    return _encoded(reason=reason, producer=source, line=line, size=size)


def lost_range_headers(group: str, origin: Origin, end: int) -> Headers:
    """The headers of a record without a value: a group never had the offsets from `origin` to below `end`."""
    reason = "lost, deleted by Kafka's retention before the group had them"
    return [*dead_letter_headers(reason, group, origin), *_encoded(lost_to_offset=end - 1)]


def lost_range(headers: Iterable[tuple[str, bytes | None]]) -> range | None:
    """The offsets that a group never had; None for a dead letter, which is one record."""
    headers = list(headers)
    origin, last = dead_letter_origin(headers), header(headers, "lost_to_offset")
    return range(origin.offset, int(last) + 1) if origin and is_number(last) else None


def dead_letter_origin(headers: Iterable[tuple[str, bytes | None]]) -> Origin | None:
    """The origin of a consumer group's dead letter; None for one of the producer's."""
    headers = list(headers)
    partition, offset = header(headers, "origin_partition"), header(headers, "origin_offset")
    if not is_number(partition) or not is_number(offset):  # anybody may write into a topic
        return None
    topic, topic_id = header(headers, "origin_topic"), header(headers, "origin_topic_id")
    return Origin(topic or "", topic_id or "", int(partition), int(offset))


def is_number(text: str | None) -> TypeGuard[str]:
    """True for the digits of a number below 10^18, as every offset is: Python counts a range up to 2^63."""
    return text is not None and text.isascii() and text.isdigit() and len(text) <= 18


def _encoded(**headers: object) -> Headers:
    return [(name, str(value)[:2000].encode()) for name, value in headers.items()]
