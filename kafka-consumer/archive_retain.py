"""Drops old days from HDFS, by when they arrived: whole folders, dt=<date>, each with one request.

What stays whatever its age: an open epoch, which its owner writes; and the last day of the newest sealed epoch that
holds any, where the next owner reads from which offset to go on.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from archive_reader import epoch_folders, listed_again, pieces_in
from archive_run import RETAIN, ArchiveRun
from hdfs_archive import OPEN, Epoch
from hdfs_client import HdfsClient, NotYes
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from retained import note


def first_kept(months: int, today: date) -> str:
    """The day so many calendar months ago (ISO 8601); a day that its month lacks is that month's last.

    Raises UserError for what is no such day.
    """
    if months < 1:
        raise UserError(f"--months must be 1 or more, not {months}")
    month = today.year * 12 + today.month - 1 - months
    if month < 12:
        raise UserError(f"--months {months} is before the calendar begins")
    year, month = month // 12, month % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(today.day, (following - date(year, month, 1)).days)).isoformat()


@dataclass
class Old:
    """What is older than the first day that is kept. `folders`: paths of days in HDFS."""

    before: str
    documents: int = 0
    folders: list[str] = field(default_factory=list)
    days: Counter[str] = field(default_factory=Counter)
    """Date -> bytes."""
    files: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    """Dates that stay all the same -> in how many partitions."""

    def __str__(self) -> str:
        days = sorted(self.days)
        span = f" ({days[0]} to {days[-1]})" if days else ""
        said = [
            f"older than {self.before}:",
            f"  Elasticsearch: {self.documents:,} tweets that were written before",
            f"  HDFS: {len(days):,} days{span} that arrived before: {len(self.folders):,} folders, "
            f"{self.files:,} files, {sum(self.days.values()) / 1e6:,.1f} MB",
        ]
        if self.kept:
            said.append(
                f"  HDFS keeps {', '.join(sorted(self.kept))} all the same: what an owner writes, or where the next "
                "one reads from which offset to go on"
            )
        return "\n".join(said)

    @property
    def nothing(self) -> bool:
        """True where there is nothing to drop."""
        return not self.documents and not self.folders


class ArchiveRetain(ArchiveRun):
    """One run, in HDFS, by the first day that is kept."""

    def __init__(self, settings: Settings, client: HdfsClient, before: str) -> None:
        super().__init__(settings, client, RETAIN)
        self._before = before

    def look(self) -> Old:
        """What is old, and what of it can be dropped. Changes nothing."""
        old = Old(self._before)
        for _, folder, partition in self.partitions():
            self._look_at(f"{folder}/partition={partition}", old, to_be_sealed=True)
        return old

    def drop(self) -> Old:
        """Drop it. Raises what HDFS raises: then run it again."""
        with self:
            # first, so that no audit takes for lost what a run that is killed has dropped
            note(self._client, self._settings, self._before)
            dropped = Old(self._before)
            for id_, folder, partition in self.partitions():
                path = f"{folder}/partition={partition}"
                if self.open_epoch_holds(path, self._before):
                    self.seal(id_, folder, partition)
                self.remove_unread(path)
                self._look_at(path, dropped, to_be_sealed=False)
            for folder in dropped.folders:
                self._client.delete(folder, recursive=True)
            if self.overtaken():
                raise NotYes("what was merged meanwhile may hold old days")
        return dropped

    def _look_at(self, folder: str, old: Old, to_be_sealed: bool) -> None:
        """`to_be_sealed`: take an open epoch that holds old days for sealed, as it is when they are dropped."""
        days = self._days(folder)
        is_open = {
            name
            for name in days
            if name.endswith(OPEN) and not (to_be_sealed and any(day < self._before for day in days[name]))
        }
        # what was merged is older than any owner's
        owners = [name for name in days if name not in is_open and Epoch.parse(name) and days[name]]
        for name in days:
            keep = set(days[name]) if name in is_open else set()
            if name in owners[-1:]:
                keep = {max(days[name])}
            old.kept.update(day for day in keep if day < self._before)
            for day in sorted(day for day in days[name].keys() - keep if day < self._before):
                old.folders.append(f"{folder}/{name}/dt={day}")
                old.days[day] += sum(days[name][day])
                old.files += len(days[name][day])

    @listed_again
    def _days(self, folder: str) -> dict[str, dict[str, list[int]]]:
        """Epoch, in order -> date -> sizes of its files."""
        days: dict[str, dict[str, list[int]]] = {}
        for name in epoch_folders(self._client.folder(folder)):
            found = days[name] = {}
            for piece in pieces_in(self._client, f"{folder}/{name}"):
                found.setdefault(piece.date, []).append(piece.size)
        return days
