"""Takes the values of forgotten records out of the archive. docs/hdfs-protocol.md explains every step.

A file is written anew aside, where forgotten records are lines without a value, as long as before; then one RENAME with
OVERWRITE puts it in the place of the old one. The fence between two runs is a folder of a run's own: all renames come
out of it, and a later run deletes it before it looks at the list. So a late rename brings back no value that another
run has taken out.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from types import TracebackType

from hdfs import HdfsError
from requests.exceptions import RequestException

from archive_reader import (
    CHUNK_BYTES,
    LISTINGS,
    Moved,
    Piece,
    epoch_folders,
    holding,
    lines,
    pieces,
    record_of,
)
from batches import batches
from forgotten_posts import Forgotten
from hdfs_archive import OPEN, read_line, without_value
from hdfs_client import HdfsClient, NotYes, persistently
from hdfs_sink import HdfsSink, epochs_in
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from topic_guard import TopicGuard

log = logging.getLogger(__name__)

CLAIMS = 8
CLAIM_PAUSE_SECONDS = 0.5


class ArchiveRewrite:
    """One run: a context that makes the run's folder, and ends the runs before it. Counts what it does."""

    def __init__(self, settings: Settings, client: HdfsClient) -> None:
        self._settings, self._client = settings, client
        self._all_runs = f"{settings.hdfs_root}/_rewriting"
        self._run = f"{self._all_runs}/run-{uuid.uuid4().hex}"
        self.read = self.emptied = self.files = 0
        self.ids: set[str] = set()
        """Of all records of the archive that are forgotten, also by earlier runs: none may be in Elasticsearch."""

    def __enter__(self) -> "ArchiveRewrite":
        self._client.make_folder(self._run)
        for name in self._client.folder(self._all_runs):
            if not self._run.endswith(name):
                log.info("hdfs: %s is removed, which another run has left", name)
                self._client.delete(f"{self._all_runs}/{name}", recursive=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.discard(self._run)
        if isinstance(error, HdfsError | NotYes) and self._overtaken():
            raise UserError(
                "another forget has begun, and does this run's part too; run it again to see that nothing is left"
            ) from None

    def partition(self, topic_id: str, folder: str, partition: int, forgotten: Forgotten) -> int:
        """Empty what is forgotten in a partition of a topic's folder; returns the offset after the last that it saw.

        Raises Torn, UserError, or what HDFS raises: then run it again.
        """
        self._seal(topic_id, f"{folder}/partition={partition}", partition)
        self._remove_unread(f"{folder}/partition={partition}")
        following, attempts = 0, 0
        while True:
            try:
                for piece in holding(pieces(self._client, folder, partition), following):
                    following, attempts = self._piece(piece, forgotten, following), 0
                return following
            except Moved:
                attempts += 1
                if attempts >= LISTINGS:
                    raise

    def _seal(self, topic_id: str, folder: str, partition: int) -> None:
        """An ordinary claim, where an epoch is open: what an owner stores that claims after us knows the list."""
        names = self._client.folder(folder)
        if not any(epoch.open in names for epoch in epochs_in(names)):
            return
        sink = HdfsSink(self._settings, TopicGuard(topic_id, lambda: topic_id))
        for attempt in range(CLAIMS):
            try:
                claim = sink.claim(partition)
                self._client.discard(claim.folder)  # nothing is stored in it
                return
            except (NotYes, HdfsError, RequestException):
                if attempt == CLAIMS - 1:
                    raise
                time.sleep(CLAIM_PAUSE_SECONDS)

    def _remove_unread(self, folder: str) -> None:
        """Delete what no reader looks at: an open folder that was made anew, and went inside when it was sealed."""
        for epoch in epoch_folders(self._client.folder(folder)):
            for name in self._client.folder(f"{folder}/{epoch}"):
                if not name.startswith("dt="):
                    self._client.delete(f"{folder}/{epoch}/{name}", recursive=True)

    def _piece(self, piece: Piece, forgotten: Forgotten, start: int) -> int:
        """Look through a file, and write it anew where it holds what is forgotten; returns the offset that follows."""
        found, read, following = set(), 0, start
        for written in lines(self._client, piece):
            record = record_of(piece, written, self._settings.topic)
            read, following = read + 1, max(following, record.offset + 1)
            if record.forgotten is not None:
                self.ids.add(record.forgotten)
            elif (id_ := forgotten.id_in(record.value)) is not None:
                found.add(record.offset)
                self.ids.add(id_)
        if found:
            self._write_anew(piece, forgotten)
        self.read, self.emptied, self.files = (
            self.read + read,
            self.emptied + len(found),
            self.files + bool(found),
        )
        return following

    def _write_anew(self, piece: Piece, forgotten: Forgotten) -> None:
        if f"{OPEN}/" in piece.path:
            raise UserError(
                f"{piece.path} is being written by a consumer of an earlier version, which does not know the list: "
                "start that again, then run this again"
            )
        staged = persistently(lambda: self._stage(piece, forgotten))
        ready = f"{self._run}/{uuid.uuid4().hex}"
        self._client.move(staged, ready)  # makes no parents: false, once a later run has removed the folder
        self._client.replace(ready, piece.path)

    def _stage(self, piece: Piece, forgotten: Forgotten) -> str:
        path = f"{self._all_runs}/staged-{uuid.uuid4().hex}"
        self._client.write(path, data=chunks(self._anew(piece, forgotten)), overwrite=False)
        size = self._client.status(path)["length"]
        if size != piece.size:
            raise NotYes(f"{piece.path} was written anew with {size:,} bytes instead of {piece.size:,}")
        return path

    def _anew(self, piece: Piece, forgotten: Forgotten) -> Iterator[bytes]:
        for written in lines(self._client, piece):
            id_ = forgotten.id_in(read_line(written, self._settings.topic).value)
            yield written + b"\n" if id_ is None else without_value(written, id_) + b"\n"

    def _overtaken(self) -> bool:
        try:
            return not self._client.exists(self._run)
        except (HdfsError, RequestException):
            return False


def chunks(written: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, about 1 MiB at a time."""
    return map(b"".join, batches(written, CHUNK_BYTES, len))
