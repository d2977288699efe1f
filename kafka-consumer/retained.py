"""What `archive.py retain` has dropped, so that the audit does not take it for lost. Kept in HDFS beside the archive.

Each run leaves an empty folder, whose name says all: up to which day it dropped, and when it ran.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hdfs_archive import date_of
from hdfs_client import HdfsClient
from kafka_cluster.settings import Settings

_RUN = re.compile(r"before=(\d{4}-\d\d-\d\d)-run=(\d+)")
CLOCK_MARGIN_MS = 3_600_000  # a run takes its time, and the brokers' clocks may differ from ours


@dataclass(frozen=True)
class Retained:
    """Runs, each as the first day that was kept (ISO 8601), and when it ran (ms)."""

    runs: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, names: Iterable[str]) -> "Retained":
        """Of the names of the folders that runs have left."""
        found = (_RUN.fullmatch(name) for name in names)
        return cls(tuple(sorted((match[1], int(match[2])) for match in found if match)))

    def __bool__(self) -> bool:
        return bool(self.runs)

    @property
    def before(self) -> str:
        """The first day that every run has kept; "" where there was no run."""
        return max((before for before, _ in self.runs), default="")

    def from_hdfs(self, record: Any) -> bool:
        """True for a record of the topic that may have been dropped: it arrived before a day that a run kept."""
        return self._dropped(date_of(record.timestamp), record)

    def from_elasticsearch(self, created_at: str | None, record: Any) -> bool:
        """The same for its tweet, by when that was written; but one that arrived after the run was not dropped."""
        return created_at is not None and self._dropped(created_at, record)

    def _dropped(self, moment: str, record: Any) -> bool:
        return any(moment < before and record.timestamp < at + CLOCK_MARGIN_MS for before, at in self.runs)


def retained(client: HdfsClient, settings: Settings) -> Retained:
    """What was dropped of the topic. Raises what HDFS raises."""
    return Retained.parse(client.folder(_folder(settings)))


def note(client: HdfsClient, settings: Settings, before: str) -> None:
    """Write down that a run, now, drops what is older. Raises what HDFS raises, or NotYes."""
    client.make_folder(f"{_folder(settings)}/before={before}-run={int(time.time() * 1000)}")


def _folder(settings: Settings) -> str:
    return f"{settings.hdfs_root}/_retained/topic={settings.topic}"
