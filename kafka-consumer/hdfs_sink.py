"""Group B: each record of the topic is in HDFS exactly once. docs/hdfs-protocol.md explains every step.

The fence is the name of a folder: an owner writes below `epoch=<k>-<uuid>.open`; the next owner renames it, and
whatever the old one still sends finds no such folder. The numbers in comments are the protocol's steps.
"""

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from forgotten_list import ForgottenList
from forgotten_posts import Forgotten
from hdfs_archive import Epoch, date_of, line_parts, offset_of, piece_name, staging_folder, topic_folder
from hdfs_client import HdfsClient, NotYes
from kafka_cluster.settings import Settings
from sink import Written
from topic_guard import TopicGuard

log = logging.getLogger(__name__)

PIECES_TO_JOIN = 64
TAIL_BYTES = 64 << 10


@dataclass
class Claim:
    """An owned partition: the open folder, the next offset to store, and the pieces of the current date.

    `forgotten`: the list of what must not be stored, as it was after the folder was made.
    """

    folder: str
    next: int
    forgotten: Forgotten
    date: str = ""
    pieces: list[str] = field(default_factory=list)


class HdfsSink:
    """Appends records to the archive.

    Two workers: while one waits for HDFS, the other makes its body; one alone reached 0.7 of their rate.
    """

    name, verb, fenced, workers = "hdfs", "stored", True, 2
    resent = 0  # a write that fails is given up, and its partition claimed anew

    def __init__(self, settings: Settings, guard: TopicGuard) -> None:
        self.flush_bytes = settings.hdfs_flush_bytes
        self.max_write_bytes = max(1, settings.hdfs_flush_bytes * 3 // 8)  # bounds the bodies in memory
        self.flush_seconds = settings.hdfs_flush_seconds
        self._client = HdfsClient(settings)
        self._guard, self.topic_id = guard, guard.topic_id
        self._forgotten = ForgottenList(settings)
        self._folder = topic_folder(settings.hdfs_root, settings.topic, guard.topic_id)
        self._staging = staging_folder(settings.hdfs_root)

    def claim(self, partition: int) -> Claim:
        """Become the owner of a partition. Anything but a clear yes raises: claim again, from the start."""
        self._guard.check()
        folder = f"{self._folder}/partition={partition}"
        mine = Epoch.after(epochs_in(self._client.folder(folder)))  # 1
        self._client.make_folder(f"{folder}/{mine.open}")  # 2
        names = self._client.folder(folder)  # 3
        others = set(epochs_in(names)) - {mine}
        if any(epoch > mine for epoch in others):
            raise NotYes("another owner has come")
        for epoch in others:  # 4
            if epoch.open in names:
                self._client.move(f"{folder}/{epoch.open}", f"{folder}/{epoch.sealed}")
        following = self._next_offset(folder, sorted(others, reverse=True))  # 5
        log.info("hdfs: partition %d claimed, epoch %d, offset %d is next", partition, mine.number, following)
        # 6: whoever adds to the list seals the folders that were there before; so what they take knows it
        return Claim(f"{folder}/{mine.open}", following, self._forgotten.now())

    def still_held(self, claim: Claim) -> bool:
        """True while no later owner has sealed the folder."""
        return self._client.exists(claim.folder)

    def write(self, claim: Claim, records: list[Any], cancelled: Event) -> Written:
        """Store consecutive records; those below the claim's `next` are there already."""
        fresh = [record for record in records if record.offset >= claim.next]
        if fresh:
            self._guard.check()
        forgotten = 0
        for date, batch in by_date(fresh, claim.date):
            forgotten += self._append(claim, date, batch)
        return Written(len(fresh) - forgotten, existing=len(records) - len(fresh), forgotten=forgotten)

    def close(self) -> None:
        """Nothing is kept open between requests."""

    def _append(self, claim: Claim, date: str, batch: list[Any]) -> int:
        """Store the records of one date; returns how many of them without their value."""
        name, ids = piece_name(batch[0].offset), [claim.forgotten.id_in(record.value) for record in batch]
        body = b"".join(itertools.chain.from_iterable(map(line_parts, batch, ids)))
        staged = self._client.stage(self._staging, name, body)
        target = f"{claim.folder}/dt={date}"
        # 7: RENAME makes no parents, so a sealed epoch takes nothing more; never MKDIRS or CREATE in here.
        try:
            if date == claim.date:
                self._client.move(f"{staged}/{name}", f"{target}/{name}")
                self._client.discard(staged)
            else:
                self._client.move(staged, target)
                claim.date, claim.pieces = date, []
        except NotYes:  # sealed, perhaps since something in it must be forgotten
            self._client.discard(staged, recursive=True)
            raise
        claim.next = batch[-1].offset + 1
        claim.pieces.append(f"{target}/{name}")
        if len(claim.pieces) >= PIECES_TO_JOIN:
            self._join(claim)
        return len(ids) - ids.count(None)

    def _join(self, claim: Claim) -> None:
        """8: tidies up only. After an unclear answer the pieces are left as they are, and a new target begins."""
        target, *sources = claim.pieces
        claim.pieces = []
        try:
            self._client.join(target, sources)
            claim.pieces = [target]
        except Exception as error:
            log.warning("hdfs: joining %d pieces: %s", len(sources), error)

    def _next_offset(self, folder: str, sealed: list[Epoch]) -> int:
        for epoch in sealed:
            path = f"{folder}/{epoch.sealed}"
            dates = [name for name in self._client.folder(path) if name.startswith("dt=")]
            if dates:
                path = f"{path}/{max(dates)}"
                name, status = max(self._client.folder(path).items())
                return self._last_offset(f"{path}/{name}", status["length"]) + 1
        return 0

    def _last_offset(self, path: str, size: int) -> int:
        length = TAIL_BYTES
        while True:
            end = self._client.read_end(path, length, size)
            if not end.endswith(b"\n"):
                raise NotYes(f"{path} does not end in a line")
            head, _, last = end[:-1].rpartition(b"\n")
            if head or length >= size:
                return offset_of(last)
            length *= 16


def by_date(records: list[Any], date: str) -> Iterator[tuple[str, list[Any]]]:
    """Split records by the UTC date of their arrival, which never goes back behind `date` or itself.

    So the last piece of an epoch is in its greatest date, where the next owner looks for it.
    """
    dates = itertools.accumulate((date_of(record.timestamp) for record in records), max, initial=date)
    next(dates)
    for day, group in itertools.groupby(zip(dates, records, strict=True), key=lambda pair: pair[0]):
        yield day, [record for _, record in group]


def epochs_in(names: Any) -> list[Epoch]:
    """The epochs among a partition folder's names, open or sealed."""
    return [epoch for name in names if (epoch := Epoch.parse(name))]
