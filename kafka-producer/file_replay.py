"""Lines of a file of tweets: JSON lines in the stream's shape, plain or gzip, or standard input."""

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from msgspec import Struct

from kafka_cluster.script import UserError

KEPT_BYTES = 1_100_000
"""As much of a line as is kept: more than the topic takes, so that a longer one is refused and counted."""
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
BUFFER_BYTES = 1 << 20
"""Every read of the file lets the thread that sends go first; with Python's 8 KB that is after each fifth tweet."""


class Line(Struct, gc=False):
    """A line without its end; `size` is its whole length in bytes, of which `content` may hold less.

    `source`: where it came from, if not from where the others did.
    """

    number: int
    content: bytes
    size: int
    source: str | None = None


class Unpacked(gzip.GzipFile):
    """What a gzip file holds. Closes that file too, as GzipFile does not."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed)
        self._packed = packed

    def readinto(self, buffer: Any) -> int:
        """What is there, not a whole buffer: where the file is torn, what came before would be lost."""
        return self.readinto1(buffer)

    def close(self) -> None:
        """Close both."""
        super().close()
        self._packed.close()


def open_lines(name: str) -> BinaryIO:
    """Open a file or a pipe, or standard input for `-`. Raises UserError where that fails."""
    if name == "-" and sys.stdin is None:
        raise UserError("can't read -: standard input is closed")
    try:
        if name == "-":
            file = open(_waiting(sys.stdin.fileno()), "rb", BUFFER_BYTES, closefd=False)  # noqa: SIM115
        else:
            file = Path(name).open("rb", BUFFER_BYTES)  # noqa: SIM115
        # a pipe can't be opened twice, and may have given only the first byte yet
        packed = file.peek(2)[:2] in (GZIP_MAGIC, GZIP_MAGIC[:1])  # type: ignore[attr-defined]
    except OSError as error:
        raise UserError(f"can't read {name}: {error.strerror}") from None
    return io.BufferedReader(Unpacked(file), BUFFER_BYTES) if packed else file


def _waiting(standard_input: int) -> int:
    """Whoever had a terminal before may have left it non-blocking: what comes late would count as the end."""
    if os.name == "posix":
        os.set_blocking(standard_input, True)
    return standard_input


def read_lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """Yield the lines, then close the stream.

    Raises UserError where a file is torn, after what came whole, and where it is of another shape than the stream's.
    """
    number = 0
    try:
        with stream:
            while part := stream.readline(KEPT_BYTES):
                number += 1
                size, kept = len(part), part
                while not part.endswith(b"\n") and (part := stream.readline(KEPT_BYTES)):
                    size += len(part)
                if number == 1:
                    kept = kept.removeprefix(BOM)
                    _refuse_other_shapes(kept, name)
                yield Line(number, kept.rstrip(b"\r\n"), size)
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        raise UserError(f"{name} can't be read beyond line {number}: {error}") from None


def _refuse_other_shapes(line: bytes, name: str) -> None:
    """A file of bare tweets would be counted as control messages, line by line, and nothing of it sent."""
    try:
        payload = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    if isinstance(payload, list) or (isinstance(payload, dict) and "id" in payload and "data" not in payload):
        old = " of the old API v1.1" if isinstance(payload, dict) and "id_str" in payload else ""
        raise UserError(
            f'{name} holds tweets{old}, not lines of X\'s stream: each line must be {{"data": {{"id": ...}}, ...}}'
        )
