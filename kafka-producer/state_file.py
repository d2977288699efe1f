"""What a producer remembers between runs, in a small SQLite file that one process at a time can open."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings

SCHEMA = "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL)"


class StateFile:
    """Names and JSON values; used by one thread at a time. Raises UserError where another process uses the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.execute(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            why = "another producer uses it" if "locked" in str(error) else error
            raise UserError(f"can't use {path}: {why}") from None

    def get(self, name: str) -> Any:
        """The value, or None."""
        row = self._database.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, name: str, value: Any) -> None:
        """Keep a value; it is on disk when this returns. Raises UserError on a full disk."""
        try:
            self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, json.dumps(value)))
        except sqlite3.Error as error:
            raise UserError(f"can't write {self.path}: {error}") from None

    def close(self) -> None:
        """Release the file."""
        self._database.close()


def open_state(settings: Settings, name: str) -> StateFile:
    """The file of that name in the producer's folder. Raises UserError where another producer uses it."""
    return StateFile(ROOT / settings.spill_folder / f"{name}.sqlite")  # an absolute folder stays what it is
