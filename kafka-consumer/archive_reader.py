"""Reads group B's archive back: the pieces of a partition, and what is in them, line by line."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import hdfs
from requests.exceptions import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from forgotten_posts import Forgotten
from hdfs_archive import (
    OPEN,
    ArchivedRecord,
    Epoch,
    Merged,
    first_offset,
    read_line,
    read_whole_line,
    topic_id_of,
)
from hdfs_client import RETRY_SECONDS, HdfsClient
from kafka_cluster.script import UserError

LISTINGS = 5  # a piece may be joined, an epoch sealed, while we read: then list again
CHUNK_BYTES = 1 << 20
FORGOTTEN, STILL_THERE = "forgotten", "still there"


class Torn(Exception):
    """A line of the archive that is no whole record."""


class Moved(UserError):
    """What was listed is no longer there: joined, its epoch sealed or merged, its day dropped."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was joined, sealed or merged again and again while it was read; try again")


listed_again = retry(retry=retry_if_exception_type(Moved), stop=stop_after_attempt(LISTINGS), reraise=True)
"""For what lists and reads anew as a whole. Raises Moved where the archive does not come to rest."""


@dataclass(frozen=True)
class Piece:
    """A file of the archive. `stored_at`: when it was last written or joined to, ms; `size`: at least so many bytes."""

    path: str
    date: str
    first: int
    size: int
    stored_at: int


@dataclass(frozen=True)
class Stored:
    """A record of the archive, and where it is: the number of its line counts from 1."""

    record: ArchivedRecord
    piece: Piece
    line: int


def topic_folders(client: HdfsClient, hdfs_root: str, topic: str) -> dict[str, str]:
    """Topic id -> folder, for each topic that had this name."""
    ids = {name: topic_id_of(name, topic) for name in sorted(client.folder(hdfs_root))}
    return {id_: f"{hdfs_root}/{name}" for name, id_ in ids.items() if id_}


def partitions_of(client: HdfsClient, folder: str) -> list[int]:
    """The partitions of a topic's folder."""
    names = [name.removeprefix("partition=") for name in client.folder(folder)]
    return sorted(int(name) for name in names if name.isdigit())


def offsets_in(client: HdfsClient, folder: str, partition: int) -> list[int]:
    """The offsets of a partition's lines, in the order of epochs, dates and pieces.

    `folder` is the topic's. Raises Torn for a line that is no record of this partition.
    """
    return [offset for offset, _ in survey(client, folder, partition, Forgotten())]


@listed_again
def survey(
    client: HdfsClient, folder: str, partition: int, forgotten: Forgotten
) -> list[tuple[int, str | None]]:
    """As `offsets_in`, each with "forgotten" where the value is gone, "still there" where it should be."""
    return [
        _offset(piece, line, partition, forgotten)
        for piece in pieces(client, folder, partition)
        for line in lines(client, piece)
    ]


def records(
    client: HdfsClient, folder: str, partition: int, topic: str, start: int = 0, since: str = ""
) -> Iterator[Stored]:
    """The records of a partition from an offset and a date on, in the order of offsets; memory holds one chunk.

    Pieces below the offset are not read. Raises Torn, Moved where the archive does not come to rest.
    """
    attempts = 0
    while True:
        try:
            for piece in holding(pieces(client, folder, partition), start, since):
                for number, line in enumerate(lines(client, piece), 1):
                    record = record_of(piece, line, topic)
                    if record.offset >= start:
                        yield Stored(record, piece, number)
                        start, attempts = record.offset + 1, 0
            return
        except Moved:
            attempts += 1
            if attempts >= LISTINGS:
                raise


def find(client: HdfsClient, folder: str, partition: int, topic: str, offset: int) -> Stored | None:
    """Where a record is; reads the one piece that can hold it."""
    stored = next(records(client, folder, partition, topic, offset), None)
    return stored if stored and stored.record.offset == offset else None


def pieces(client: HdfsClient, folder: str, partition: int) -> list[Piece]:
    """The pieces of a partition, in the order of epochs, dates and offsets. Raises Moved: then list again."""
    folder = f"{folder}/partition={partition}"
    return [
        piece
        for epoch in epoch_folders(client.folder(folder))
        for piece in pieces_in(client, f"{folder}/{epoch}")
    ]


def pieces_in(client: HdfsClient, epoch: str) -> list[Piece]:
    """The pieces of an epoch's folder that was listed, in the order of dates and offsets. Raises Moved."""
    return [
        Piece(
            f"{epoch}/{date}/{name}",
            date[3:],
            first_offset(name),
            status["length"],
            status["modificationTime"],
        )
        for date in sorted(date for date in _there(client, epoch) if date.startswith("dt="))
        for name, status in sorted(_there(client, f"{epoch}/{date}").items())
    ]


def _there(client: HdfsClient, path: str) -> dict[str, dict]:
    """What a folder holds that was there a moment ago: one that is gone must not look empty."""
    try:
        return dict(client.list(path, status=True))
    except hdfs.HdfsError as error:
        if error.exception != "FileNotFoundException":
            raise
        raise Moved(path) from None


def holding(found: list[Piece], start: int, since: str = "") -> list[Piece]:
    """Those pieces that may hold offsets from `start` on, of dates from `since` on, by their first offsets."""
    found = sorted(found, key=lambda piece: piece.first)
    ends = [piece.first for piece in found[1:]]
    last = found[-1:]
    return [
        piece
        for piece, end in [*zip(found, ends, strict=False), *((piece, None) for piece in last)]
        if (end is None or end > start) and piece.date >= since
    ]


def epoch_folders(names: Collection[str]) -> list[str]:
    """The folders of a partition that count, oldest owner first.

    An epoch that is there both sealed and open was sealed: the open one was made anew by a MKDIRS that came twice,
    and what its owner put there it will never vouch for. What a merged one stands for counts no more.
    """
    return [
        name
        for name, replaced in _epochs(names)
        if not replaced and not (name.endswith(OPEN) and name.removesuffix(OPEN) in names)
    ]


def replaced_folders(names: Collection[str]) -> list[str]:
    """The folders of a partition that a merged one stands for, oldest first: nobody will ever look at them again."""
    return [name for name, replaced in _epochs(names) if replaced]


def _epochs(names: Collection[str]) -> list[tuple[str, bool]]:
    """Each epoch's folder, in order, and whether a merged one stands for it. Numbers have the same length."""
    found = {name: epoch for name in sorted(names) if (epoch := Merged.parse(name) or Epoch.parse(name))}
    merged = [epoch for epoch in found.values() if isinstance(epoch, Merged)]
    return [(name, any(each.stands_for(epoch) for each in merged)) for name, epoch in found.items()]


def lines(client: HdfsClient, piece: Piece) -> Iterator[bytes]:
    """The lines of a piece, without their ends; where a DataNode dies, another goes on. Raises Moved or Torn."""
    position, rest, moved_on_at = 0, b"", time.monotonic()
    while position < piece.size:
        failure: Exception = Moved(piece.path)  # it ended too early
        try:
            with client.read(piece.path, offset=position, chunk_size=CHUNK_BYTES) as chunks:
                for chunk in chunks:
                    position, moved_on_at = position + len(chunk), time.monotonic()
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from whole
        except (hdfs.HdfsError, RequestException) as error:
            failure = error
            if position >= piece.size or not client.exists(piece.path):
                raise Moved(piece.path) from None
            # from the line's start: it may be another file of the same lines by now, where some are forgotten
            position, rest = position - len(rest), b""
        if position < piece.size:
            if time.monotonic() - moved_on_at > RETRY_SECONDS:
                raise failure
            time.sleep(0.3)
    if rest:
        raise Torn(f"{piece.path} does not end in a line")


def _offset(piece: Piece, line: bytes, partition: int, forgotten: Forgotten) -> tuple[int, str | None]:
    try:
        record = read_whole_line(line)
        if record.partition != partition:
            raise ValueError("another partition's")
        if record.forgotten is not None:
            return record.offset, FORGOTTEN
        there = bool(forgotten) and forgotten.id_in(record.value) is not None
        return record.offset, STILL_THERE if there else None
    except (ValueError, KeyError, TypeError) as error:
        raise Torn(f"{piece.path}: {error}") from None


def record_of(piece: Piece, line: bytes, topic: str) -> ArchivedRecord:
    """A line of a piece as a record. Raises Torn."""
    try:
        return read_line(line, topic)
    except (ValueError, KeyError, TypeError) as error:
        raise Torn(f"{piece.path}: {error}") from None
