"""The archive's shape in HDFS: names of epochs and pieces, and the line of a record. Pure, but for listing."""

import base64
import contextlib
import functools
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import orjson

from kafka_cluster.message import header

OPEN = ".open"
DAY_MS = 86_400_000
FIRST_DAY, LAST_DAY, DAY_0 = (day.toordinal() for day in (date.min, date.max, date(1970, 1, 1)))
_EPOCH = re.compile(r"epoch=(\d{8})-([0-9a-f]{32})")
_MERGED = re.compile(r"epoch=(\d{8})-([0-9a-f]{32})\.from-(\d{8})")
_TOPIC_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Ends the headers, hence the head of a line: their values are strings, in which every quote is escaped, so this
# stands nowhere before.
_VALUE = re.compile(rb'\},"(tweet|value_base64|forgotten)":')


@dataclass(frozen=True, order=True)
class Epoch:
    """One owner's folder. Owners sort by number, then by uuid; the highest is the present one."""

    number: int
    uuid: str

    @classmethod
    def parse(cls, name: str) -> "Epoch | None":
        """The epoch of a folder's name, open or sealed; None for anything else."""
        match = _EPOCH.fullmatch(name.removesuffix(OPEN))
        return cls(int(match[1]), match[2]) if match else None

    @classmethod
    def after(cls, epochs: Iterable["Epoch"]) -> "Epoch":
        """An epoch above all of these, under a name that is used once in all time."""
        return cls(max((epoch.number for epoch in epochs), default=0) + 1, uuid.uuid4().hex)

    @property
    def sealed(self) -> str:
        """The folder's name once a later owner has come."""
        return f"epoch={self.number:08d}-{self.uuid}"

    @property
    def open(self) -> str:
        """The folder's name while its owner writes."""
        return self.sealed + OPEN


@dataclass(frozen=True, order=True)
class Merged:
    """What compaction made of old epochs: it stands in the place of all others that are numbered first to last."""

    last: int
    first: int
    uuid: str

    @classmethod
    def parse(cls, name: str) -> "Merged | None":
        """The merged epoch of a folder's name; None for anything else."""
        match = _MERGED.fullmatch(name)
        return cls(int(match[1]), int(match[3]), match[2]) if match else None

    @classmethod
    def of(cls, first: int, last: int) -> "Merged":
        """Of the epochs from the first to the last, under a name that is used once in all time."""
        return cls(last, first, uuid.uuid4().hex)

    @property
    def folder(self) -> str:
        """The folder's name."""
        return f"epoch={self.last:08d}-{self.uuid}.from-{self.first:08d}"

    def stands_for(self, other: "Epoch | Merged") -> bool:
        """True if the other one is to be looked at no more."""
        if isinstance(other, Epoch):
            return self.first <= other.number <= self.last
        return self != other and self.first <= other.first and other.last <= self.last


def topic_folder(hdfs_root: str, topic: str, topic_id: str) -> str:
    """A topic that was made anew has a new id, hence a tree of its own."""
    return f"{hdfs_root}/topic={topic}-{topic_id}"


def topic_id_of(folder: str, topic: str) -> str | None:
    """The id in the name of a topic's folder; None for another topic's, such as tweets-eu beside tweets."""
    match = re.fullmatch(rf"topic={re.escape(topic)}-({_TOPIC_ID}|{re.escape(topic)})", folder)
    return match[1] if match else None


def staging_folder(hdfs_root: str) -> str:
    """Where bodies are written, outside every epoch; it may be emptied at any time."""
    return f"{hdfs_root}/_staging"


def piece_name(first_offset: int) -> str:
    """The file of a batch that starts at this offset; names sort as offsets do."""
    return f"{first_offset:020d}.jsonl"


def first_offset(name: str) -> int:
    """The offset in a piece's name. Raises ValueError for any other name."""
    return int(name.removesuffix(".jsonl"))


def date_of(timestamp_ms: int) -> str:
    """The UTC date of a record's LogAppendTime; the nearest, where a client wrote a time that no calendar has."""
    return _date(timestamp_ms // DAY_MS)


@functools.lru_cache
def _date(days: int) -> str:
    return date.fromordinal(min(max(DAY_0 + days, FIRST_DAY), LAST_DAY)).isoformat()


def line(record: Any, forgotten: str | None = None) -> bytes:
    """A record as a line of the archive; a value that is no single-line UTF-8 JSON is kept in base64.

    `forgotten`: the tweet id of a record whose value must not be kept; it stands in the value's place.
    """
    return b"".join(line_parts(record, forgotten))


def line_parts(record: Any, forgotten: str | None = None) -> tuple[bytes, bytes, bytes]:
    """What stands before the value, the value, and what stands after it: to join many lines at once."""
    key = record.key.decode("utf-8", "backslashreplace") if record.key is not None else None
    given = record.headers
    headers = {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in given}
    if len(headers) < len(given):  # one name twice: the one that everything else reads
        headers = {name: header(given, name) or "" for name in headers}
    name, value = _value(record.value) if forgotten is None else _tombstone(forgotten)
    head = b'{"partition":%d,"offset":%d,"timestamp":%d,"key":%s,"headers":%s,%s:' % (
        record.partition, record.offset, record.timestamp, orjson.dumps(key), orjson.dumps(headers), name,
    )  # fmt: skip
    return head, value, b"}\n"


def without_value(written: bytes, id_: str) -> bytes:
    """A whole line, without its end, whose value holds a tweet -> the same without the value, and as long.

    So every other line keeps its place in the file, for those who are reading it just now.
    """
    separator = _VALUE.search(written)
    if not separator:
        raise ValueError("no line of the archive")
    kept = b"%s,%s:%s" % (written[: separator.start() + 1], *_tombstone(id_))
    return kept + b" " * (len(written) - len(kept) - 1) + b"}"


def _tombstone(id_: str) -> tuple[bytes, bytes]:
    return b'"forgotten"', b'"%s"' % id_.encode()


_raw = msgspec.json.Decoder(msgspec.Raw).decode
"""Looks whether it is JSON, and makes nothing of it: a third of the time that parsing takes."""


def _value(value: bytes | None) -> tuple[bytes, bytes]:
    if value is None:
        return b'"value_base64"', b"null"
    try:
        if b"\n" in value or b"\r" in value:
            raise ValueError
        value.decode()  # what msgspec skips may be no UTF-8
        _raw(value)
    except (ValueError, RecursionError):
        return b'"value_base64"', b'"%s"' % base64.b64encode(value)
    return b'"tweet"', value


@dataclass(frozen=True)
class ArchivedRecord:
    """A record as it was in the topic, read back; `timestamp`: its LogAppendTime in ms.

    `forgotten`: the tweet id of a record whose value was forgotten.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None
    forgotten: str | None = None

    @property
    def size(self) -> int:
        """The bytes of key, value and headers."""
        headers = sum(len(name.encode()) + len(content) for name, content in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


def read_line(written: bytes, topic: str) -> ArchivedRecord:
    """A whole line, without its end -> the record that it was made of, its value byte for byte, or forgotten.

    Raises ValueError for anything else.
    """
    separator = _VALUE.search(written)
    if not separator or not written.endswith(b"}"):
        raise ValueError("no line of the archive")
    head = orjson.loads(written[: separator.start()] + b"}}")
    value: bytes | None = written[separator.end() : -1]
    forgotten = None
    if separator[1] == b"value_base64":
        encoded = orjson.loads(value or b"")
        value = None if encoded is None else base64.b64decode(encoded, validate=True)
    elif separator[1] == b"forgotten":
        value, forgotten = None, str(orjson.loads(value or b""))
    key = head["key"]
    return ArchivedRecord(
        topic, int(head["partition"]), int(head["offset"]), int(head["timestamp"]),
        None if key is None else key.encode(),
        [(name, text.encode()) for name, text in head["headers"].items()], value, forgotten,
    )  # fmt: skip


def offset_of(last_line: bytes) -> int:
    """The offset of a whole line. Raises ValueError for anything else."""
    return read_whole_line(last_line).offset


def read_whole_line(written: bytes, topic: str = "") -> ArchivedRecord:
    """As `read_line`, after a look at all of it: raises ValueError also where the value's JSON was cut.

    With msgspec, as it was looked at before it was written: orjson also refuses a number that no double holds.
    """
    with contextlib.suppress(RecursionError):  # its depth depends on where we stand
        _raw(written)
    return read_line(written, topic)
