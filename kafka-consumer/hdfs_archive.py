"""The archive's shape in HDFS: names of epochs and pieces, and the line of a record. Pure, but for listing."""

import base64
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

OPEN = ".open"
_EPOCH = re.compile(r"epoch=(\d{8})-([0-9a-f]{32})")


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


def topic_folder(hdfs_root: str, topic: str, topic_id: str) -> str:
    """A topic that was made anew has a new id, hence a tree of its own."""
    return f"{hdfs_root}/topic={topic}-{topic_id}"


def staging_folder(hdfs_root: str) -> str:
    """Where bodies are written, outside every epoch; it may be emptied at any time."""
    return f"{hdfs_root}/_staging"


def piece_name(first_offset: int) -> str:
    """The file of a batch that starts at this offset; names sort as offsets do."""
    return f"{first_offset:020d}.jsonl"


def date_of(timestamp_ms: int) -> str:
    """The UTC date of a record's LogAppendTime."""
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).date().isoformat()


def line(record: Any) -> bytes:
    """A record as a line of the archive; a value that is no single-line UTF-8 JSON is kept in base64."""
    head = {
        "partition": record.partition, "offset": record.offset, "timestamp": record.timestamp,
        "key": record.key.decode("utf-8", "backslashreplace") if record.key is not None else None,
        "headers": {name: (value or b"").decode("utf-8", "backslashreplace") for name, value in record.headers},
    }  # fmt: skip
    name, value = _value(record.value)
    return b"%s,%s:%s}\n" % (orjson.dumps(head)[:-1], name, value)


def _value(value: bytes | None) -> tuple[bytes, bytes]:
    if value is None:
        return b'"value_base64"', b"null"
    try:
        if b"\n" in value or b"\r" in value:
            raise ValueError
        orjson.loads(value)
    except ValueError:
        return b'"value_base64"', b'"%s"' % base64.b64encode(value)
    return b'"tweet"', value


def offset_of(last_line: bytes) -> int:
    """The offset of a whole line. Raises ValueError for anything else."""
    return int(orjson.loads(last_line)["offset"])
