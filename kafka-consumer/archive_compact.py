"""Merges the many small files of old epochs into few large ones. docs/hdfs-protocol.md explains every step.

All old epochs of a partition are written anew aside, as one folder, and one RENAME puts it beside them. Its name says
which epochs it stands for: from that moment on readers look at it and not at them, and they are deleted.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import partial

from archive_reader import Piece, epoch_folders, lines, listed_again, pieces_in
from archive_run import COMPACT, ArchiveRun
from hdfs_archive import OPEN, Epoch, Merged, piece_name
from hdfs_client import HdfsClient, NotYes, persistently
from kafka_cluster.settings import Settings

log = logging.getLogger(__name__)

BLOCK_BYTES = 128 << 20  # HDFS's dfs.blocksize, unless it was changed: then files have more blocks, or fewer
FILE_BYTES = 2 * BLOCK_BYTES  # audit.py trace reads up to so much to find one record


@dataclass
class Size:
    """How much there is of the archive, or of a part."""

    epochs: int = 0
    files: int = 0
    blocks: int = 0
    bytes: int = 0

    def __iadd__(self, other: "Size") -> "Size":
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    def __str__(self) -> str:
        return f"{self.epochs:,} epochs, {self.files:,} files, {self.blocks:,} blocks, {self.bytes / 1e6:,.1f} MB"


@dataclass(frozen=True)
class Plan:
    """What is to become of a partition: `files` are lists of pieces that become one file each."""

    folder: str
    merged: Merged
    files: list[list[Piece]]
    before: Size
    after: Size

    @property
    def worthwhile(self) -> bool:
        """False where nothing would get fewer."""
        old, new = self.before, self.after
        return old.epochs > new.epochs or old.files > new.files or old.blocks > new.blocks


@dataclass
class Compacted:
    """What a run did, or would do."""

    dry: bool
    before: Size = field(default_factory=Size)
    after: Size = field(default_factory=Size)
    partitions: int = 0
    waiting: int = 0
    """Partitions whose owner has days in its open epoch that are over."""

    def __str__(self) -> str:
        said = "would be merged" if self.dry else "merged"
        waiting = (
            f"{self.waiting} partitions have days that are over in an epoch that is open: a run seals it, and a later "
            "one merges it"
            if self.dry
            else f"{self.waiting} epochs with days that are over were sealed; a later run merges them"
        )
        return "\n".join([
            f"{said}: {self.partitions} partitions" if self.partitions else "nothing to merge",
            *([f"  before: {self.before}", f"  after:  {self.after}"] if self.partitions else []),
            *([waiting] if self.waiting else []),
        ])  # fmt: skip


class ArchiveCompact(ArchiveRun):
    """One run."""

    def __init__(self, settings: Settings, client: HdfsClient) -> None:
        super().__init__(settings, client, COMPACT)

    def run(self, dry: bool) -> Compacted:
        """Look at every partition, and merge; `dry`: only look. Raises what HDFS raises: then run it again."""
        done = Compacted(dry)
        if dry:
            self._all(done)
            return done
        with self:
            self._all(done)
        return done

    def _all(self, done: Compacted) -> None:
        for id_, folder, partition in self.partitions():
            self._partition(id_, folder, partition, done)

    def _partition(self, topic_id: str, folder: str, partition: int, done: Compacted) -> None:
        path = f"{folder}/partition={partition}"
        if self.open_epoch_holds(path, datetime.now(UTC).date().isoformat()):
            done.waiting += 1
            if not done.dry:
                self.seal(topic_id, folder, partition)
        if not done.dry:
            self.remove_unread(path)
        plan = planned(self._client, path)
        if not plan or not plan.worthwhile:
            return
        if not done.dry:
            self._merge(plan)
            self.remove_unread(path)
        log.info("hdfs: partition %d: %s -> %s", partition, plan.before, plan.after)
        done.before += plan.before
        done.after += plan.after
        done.partitions += 1

    def _merge(self, plan: Plan) -> None:
        staged = self.aside()
        self._client.make_folder(staged)
        for pieces in plan.files:
            file = persistently(partial(self._write, pieces))
            self._client.make_folder(f"{staged}/dt={pieces[0].date}")
            self._client.move(file, f"{staged}/dt={pieces[0].date}/{piece_name(pieces[0].first)}")
        ready = self.make_ready(staged)
        # what stands in our folder stays as it is; before, a later run may have deleted a part of it
        if [(each.first, each.size) for each in by_offset(pieces_in(self._client, ready))] != [
            (pieces[0].first, sum(each.size for each in pieces)) for pieces in plan.files
        ]:
            raise NotYes(f"{ready} is not what was written")
        self._client.move(ready, f"{plan.folder}/{plan.merged.folder}")

    def _write(self, pieces: list[Piece]) -> str:
        size = sum(piece.size for piece in pieces)
        return self.write_aside(self._lines(pieces), size, f"{pieces[0].path} with what follows")

    def _lines(self, pieces: list[Piece]) -> Iterator[bytes]:
        for piece in pieces:
            for line in lines(self._client, piece):
                yield line + b"\n"


@listed_again
def planned(client: HdfsClient, folder: str) -> Plan | None:
    """What can be merged in a partition's folder: all that is sealed, below the newest epoch that is not empty.

    That one is left, since the next owner reads in it where to go on. A merged epoch that is smaller than a block is
    merged again, with what came after it. None where there is nothing.
    """
    names = epoch_folders(client.folder(folder))
    held = {name: pieces_in(client, f"{folder}/{name}") for name in names if not name.endswith(OPEN)}
    epochs = {name: epoch for name in held if (epoch := Epoch.parse(name))}
    newest = max((epoch for name, epoch in epochs.items() if held[name]), default=None)
    old = [name for name, epoch in epochs.items() if newest and epoch.number < newest.number]
    if not newest or not old:
        return None
    first = 0
    for name, merged in sorted(
        ((name, merged) for name in held if (merged := Merged.parse(name))), reverse=True
    ):
        if sum(piece.size for piece in held[name]) >= BLOCK_BYTES:
            first = merged.last + 1
            break
        old.append(name)
    pieces = by_offset([piece for name in old for piece in held[name]])
    files = grouped(pieces)
    size = sum(piece.size for piece in pieces)
    blocks = sum(client.blocks(piece.path) for piece in pieces)
    full = sum(-(-sum(piece.size for piece in file) // BLOCK_BYTES) for file in files)
    return Plan(
        folder, Merged.of(first, newest.number - 1), files,
        Size(len(old), len(pieces), blocks, size), Size(1, len(files), full, size),
    )  # fmt: skip


def by_offset(found: list[Piece]) -> list[Piece]:
    """The same, in the order of offsets."""
    return sorted(found, key=lambda piece: piece.first)


def grouped(found: list[Piece]) -> list[list[Piece]]:
    """Pieces in the order of offsets -> those that become one file: neighbours, of one day, not too large together.

    Neighbours only: readers take it that what lies between two lines of a file is in no other one.
    """
    files: list[list[Piece]] = []
    for piece in found:
        last = files[-1] if files else []
        if last and last[0].date == piece.date and sum(each.size for each in [*last, piece]) <= FILE_BYTES:
            last.append(piece)
        else:
            files.append([piece])
    return files
