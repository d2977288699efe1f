"""Reads group B's archive back: every piece of one topic, line by line."""

from collections.abc import Collection, Iterator

import hdfs
import orjson

from hdfs_archive import Epoch
from hdfs_client import HdfsClient, persistently

LISTINGS = 5  # a piece may be joined, an epoch sealed, while we read: then list again


class Torn(Exception):
    """A line of the archive that is no whole record."""


def offsets_in(client: HdfsClient, folder: str, partition: int) -> list[int]:
    """The offsets of a partition's lines, in the order of epochs, dates and pieces.

    `folder` is the topic's. Raises Torn for a line that is no record of this partition.
    """
    for attempt in range(LISTINGS):
        try:
            return [
                offset
                for path in _pieces(client, f"{folder}/partition={partition}")
                for offset in _offsets(path, _content(client, path), partition)
            ]
        except hdfs.HdfsError as error:
            if error.exception != "FileNotFoundException" or attempt == LISTINGS - 1:
                raise
    raise AssertionError("not reached")


def _pieces(client: HdfsClient, folder: str) -> Iterator[str]:
    for name in epoch_folders(client.folder(folder)):
        for date in sorted(date for date in client.folder(f"{folder}/{name}") if date.startswith("dt=")):
            for piece in sorted(client.folder(f"{folder}/{name}/{date}")):
                yield f"{folder}/{name}/{date}/{piece}"


def epoch_folders(names: Collection[str]) -> list[str]:
    """The folders of a partition that count, oldest owner first.

    An epoch that is there both sealed and open was sealed: the open one was made anew by a MKDIRS that came twice,
    and what its owner put there it will never vouch for.
    """
    epochs = {epoch for name in names if (epoch := Epoch.parse(name))}
    return [epoch.sealed if epoch.sealed in names else epoch.open for epoch in sorted(epochs)]


def _content(client: HdfsClient, path: str) -> bytes:
    def read() -> bytes:
        with client.read(path) as reader:
            return reader.read()

    try:
        return persistently(read)
    except hdfs.HdfsError:
        client.status(path)  # says FileNotFoundException if the piece was joined meanwhile
        raise


def _offsets(path: str, content: bytes, partition: int) -> Iterator[int]:
    if content and not content.endswith(b"\n"):
        raise Torn(f"{path} does not end in a line")
    for line in content.split(b"\n")[:-1]:
        try:
            record = orjson.loads(line)
            if record["partition"] != partition:
                raise ValueError("another partition's")
            yield record["offset"]
        except (ValueError, KeyError, TypeError) as error:
            raise Torn(f"{path}: {error}") from None
