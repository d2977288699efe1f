"""Takes the values of forgotten records out of the archive. docs/hdfs-protocol.md explains every step.

A file is written anew aside, where forgotten records are lines without a value, as long as before; then one RENAME with
OVERWRITE puts it in the place of the old one.
"""

from collections.abc import Iterator

from archive_reader import LISTINGS, Moved, Piece, holding, lines, pieces, record_of
from archive_run import FORGET, ArchiveRun
from forgotten_posts import Forgotten
from hdfs_archive import OPEN, read_line, without_value
from hdfs_client import HdfsClient, persistently
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings


class ArchiveRewrite(ArchiveRun):
    """One run of forget. Counts what it does."""

    def __init__(self, settings: Settings, client: HdfsClient) -> None:
        super().__init__(settings, client, FORGET)
        self.read = self.emptied = self.files = 0
        self.ids: set[str] = set()
        """Of all records of the archive that are forgotten, also by earlier runs: none may be in Elasticsearch."""

    def __enter__(self) -> "ArchiveRewrite":
        super().__enter__()
        return self

    def partition(self, topic_id: str, folder: str, partition: int, forgotten: Forgotten) -> int:
        """Empty what is forgotten in a partition of a topic's folder; returns the offset after the last that it saw.

        Raises Torn, UserError, or what HDFS raises: then run it again.
        """
        self.seal(topic_id, folder, partition)  # what an owner stores that claims after us knows the list
        self.remove_unread(f"{folder}/partition={partition}")
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
        self._client.replace(self.make_ready(staged), piece.path)

    def _stage(self, piece: Piece, forgotten: Forgotten) -> str:
        return self.write_aside(self._anew(piece, forgotten), piece.size, piece.path)

    def _anew(self, piece: Piece, forgotten: Forgotten) -> Iterator[bytes]:
        for written in lines(self._client, piece):
            id_ = forgotten.id_in(read_line(written, self._settings.topic).value)
            yield written + b"\n" if id_ is None else without_value(written, id_) + b"\n"
