"""Records that wait on disk while Kafka is away: first in, first out, bounded.

SQLite's write-ahead log checksums every frame: what was put is there after a kill -9, and a torn end is left out.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from kafka_cluster.script import UserError
from kafka_writer import Outgoing

SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key BLOB, value BLOB NOT NULL, headers BLOB NOT NULL
)"""


class SpillFile:
    """The file of one producer; used by one thread. Raises UserError where it can't be used.

    `last`: the number of the youngest record; numbers grow and are never used again.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path, self._max_bytes = path, max_bytes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
            # one producer at a time; a commit is a write without fsync: safe from kill -9, not from a power cut
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute(SCHEMA)
            self._bytes, self._count, self.last = self._database.execute(
                "SELECT coalesce(sum(length(value)), 0), count(*), coalesce(max(number), 0) FROM waiting"
            ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"can't use the spill file {path}: {_why(path, error)}") from None

    def __len__(self) -> int:
        return self._count

    @property
    def value_bytes(self) -> int:
        """The bytes of the values that wait, which `max_bytes` bounds."""
        return self._bytes

    def put(self, records: Iterable[Outgoing]) -> int:
        """Add records at the end, and note in each its number; returns how many found no room, or no disk."""
        return sum(not self._insert(outgoing) for outgoing in records)

    def after(self, number: int, count: int) -> list[Outgoing]:
        """The oldest records behind a number, at most so many."""
        rows = self._database.execute(
            "SELECT number, topic, key, value, headers FROM waiting WHERE number > ? ORDER BY number LIMIT ?",
            (number, count),
        )
        return [
            Outgoing(
                topic, key, value, [(name, text.encode()) for name, text in orjson.loads(headers)], kept=kept
            )
            for kept, topic, key, value, headers in rows
        ]

    def discard(self, records: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Remove records that Kafka has, and return those that could not be; one that is gone is passed over."""
        for done, outgoing in enumerate(records):
            try:
                gone = self._database.execute("DELETE FROM waiting WHERE number = ?", (outgoing.kept,))
            except sqlite3.OperationalError:  # a full disk
                return records[done:]
            self._bytes -= len(outgoing.value) * gone.rowcount
            self._count -= gone.rowcount
        return ()

    def close(self) -> None:
        """Release the file; an empty one is removed."""
        self._database.close()
        if not self._count:
            self.path.unlink(missing_ok=True)

    def _insert(self, outgoing: Outgoing) -> bool:
        if self._bytes + len(outgoing.value) > self._max_bytes:
            return False
        headers = orjson.dumps([(name, text.decode()) for name, text in outgoing.headers])
        try:
            row = self._database.execute(
                "INSERT INTO waiting (topic, key, value, headers) VALUES (?, ?, ?, ?)",
                (outgoing.topic, outgoing.key, outgoing.value, headers),
            )
        except sqlite3.OperationalError:  # the disk is full
            return False
        outgoing.kept = self.last = row.lastrowid or 0
        self._bytes += len(outgoing.value)
        self._count += 1
        return True


def _why(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the kind; the rest says where in SQLite
    if code == sqlite3.SQLITE_BUSY:
        return "another producer uses it"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            f"it is damaged ({error}); move it and, where there is one, {path.name}-wal to another folder, and the "
            f"next run makes a new one. There  sqlite3 {path.name} .dump  shows what of it can still be read"
        )
    return str(error)
