"""What forget, compact and retain share: they change the archive one at a time, without a lock.

The fence is a folder of a run's own. What a run puts into the archive it renames out of that folder, and a later run
deletes it before it reads anything. So what comes late, from a run that was frozen or killed, finds nothing to move.
Forgetting comes first: forget ends whatever runs, the others end each other, and give way to it.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from types import TracebackType

from hdfs import HdfsError
from requests.exceptions import RequestException

from archive_reader import CHUNK_BYTES, epoch_folders, partitions_of, replaced_folders, topic_folders
from batches import batches
from hdfs_archive import OPEN
from hdfs_client import NO_ANSWER, HdfsClient, NotYes
from hdfs_sink import HdfsSink, epochs_in
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from topic_guard import TopicGuard

log = logging.getLogger(__name__)

FORGET, COMPACT, RETAIN = "forget", "compact", "retain"
CLAIMS = 8
CLAIM_PAUSE_SECONDS = 0.5


class ArchiveRun:
    """One run, a context: makes the run's folder, and ends the runs before it.

    Raises UserError where forget has to come first.
    """

    def __init__(self, settings: Settings, client: HdfsClient, verb: str) -> None:
        self._settings, self._client, self._verb = settings, client, verb
        self._all_runs = f"{settings.hdfs_root}/_rewriting"
        self._run = f"{self._all_runs}/{verb}-{uuid.uuid4().hex}"
        self._asides: list[str] = []

    def __enter__(self) -> "ArchiveRun":
        self._client.make_folder(self._run)
        others = [name for name in self._client.folder(self._all_runs) if not self._run.endswith(f"/{name}")]
        if self._verb != FORGET and any(name.startswith(FORGET) for name in others):
            self._client.discard(self._run)
            raise UserError(
                "archive.py forget is running, or was killed: wait until it has ended, or run it again (any id that "
                "is on its list will do), then this"
            )
        for name in sorted(others, key=lambda name: name.startswith("staged-")):  # their folders first
            log.info("hdfs: %s is removed, which another run has left", name)
            self._client.delete(f"{self._all_runs}/{name}", recursive=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        overtaken = isinstance(error, HdfsError | NotYes) and self.overtaken()
        for path in [self._run, *self._asides]:  # they may hold what has just been forgotten
            self._client.discard(path, recursive=True)
        if overtaken:
            raise UserError(
                f"another run of archive.py has begun, and ended this {self._verb}: run it again"
            ) from None

    def overtaken(self) -> bool:
        """True if a later run has begun; what this one has not put into the archive by now never gets there."""
        try:
            return not self._client.exists(self._run)
        except (HdfsError, RequestException):
            return False

    def partitions(self) -> Iterator[tuple[str, str, int]]:
        """Topic id, the topic's folder, partition: of each topic that had this name."""
        folders = topic_folders(self._client, self._settings.hdfs_root, self._settings.topic)
        for id_, folder in folders.items():
            for partition in partitions_of(self._client, folder):
                yield id_, folder, partition

    def write_aside(self, lines: Iterator[bytes], size: int, what: str) -> str:
        """Write lines, with their ends, into a fresh file; returns its path. Raises NotYes where it has another size.

        `what`: of which file, for the error.
        """
        path = self.aside()
        self._client.write(path, data=chunks(lines), overwrite=False)
        written = self._client.status(path)["length"]
        if written != size:
            raise NotYes(f"{what} was written anew with {written:,} bytes instead of {size:,}")
        return path

    def aside(self) -> str:
        """A fresh name, outside every epoch, for what is being written; a later run may delete it at any time."""
        self._asides.append(f"{self._all_runs}/staged-{uuid.uuid4().hex}")
        return self._asides[-1]

    def make_ready(self, staged: str) -> str:
        """Move what is written into the run's folder; returns where it is. Raises NotYes once a later run has begun."""
        ready = f"{self._run}/{uuid.uuid4().hex}"
        self._client.move(staged, ready)  # makes no parents
        self._asides.remove(staged)
        return ready

    def seal(self, topic_id: str, folder: str, partition: int) -> None:
        """An ordinary claim, where an epoch of a topic's folder is open: the owner finds out, and claims again."""
        folder = f"{folder}/partition={partition}"
        names = self._client.folder(folder)
        if not any(epoch.open in names for epoch in epochs_in(names)):
            return
        sink = HdfsSink(self._settings, TopicGuard(topic_id, lambda: topic_id))
        for attempt in range(CLAIMS):
            try:
                claim = sink.claim(partition)
                self._client.discard(claim.folder)  # nothing is stored in it
                return
            except (NotYes, *NO_ANSWER):
                if attempt == CLAIMS - 1:
                    raise
                time.sleep(CLAIM_PAUSE_SECONDS)

    def open_epoch_holds(self, folder: str, before: str) -> bool:
        """True where the open epoch of a partition's folder, which only its owner may touch, holds days before one."""
        return any(
            name.startswith("dt=") and name[3:] < before
            for epoch in epoch_folders(self._client.folder(folder))
            if epoch.endswith(OPEN)
            for name in self._client.folder(f"{folder}/{epoch}")
        )

    def remove_unread(self, folder: str) -> None:
        """Delete what no reader of a partition's folder looks at: what merged epochs stand for, the oldest first.

        And an open folder that was made anew, and went inside when it was sealed.
        """
        names = self._client.folder(folder)
        for epoch in replaced_folders(names):
            self._client.delete(f"{folder}/{epoch}", recursive=True)
        for epoch in epoch_folders(names):
            for name in self._client.folder(f"{folder}/{epoch}"):
                if not name.startswith("dt="):
                    self._client.delete(f"{folder}/{epoch}/{name}", recursive=True)


def chunks(written: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, about 1 MiB at a time."""
    return map(b"".join, batches(written, CHUNK_BYTES, len))
