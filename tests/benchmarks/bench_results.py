"""The figures of a run, as JSON below build/, so that tables and chart can be drawn again; medians with spread."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from kafka_cluster.script import ROOT

FILE = ROOT / "build" / "bench" / "results.json"
Row = dict[str, Any]


class Results:
    """Rows of figures. Those of a part that is run again replace the earlier ones."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self.rows: list[Row] = found.get("rows", [])
        self.machines: dict[str, Row] = found.get("machines", {})

    def begin(self, part: str) -> None:
        """Forget what an earlier run found for this part."""
        self.rows = [row for row in self.rows if row["part"] != part]
        self.machines[part] = machine()

    def add(self, part: str, what: str, **figures: Any) -> Row:
        """Keep a row, on disk too."""
        row = {"part": part, "what": what} | figures
        self.rows.append(row)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(
            json.dumps({"machines": self.machines, "rows": self.rows}, indent=1, ensure_ascii=False) + "\n"
        )
        return row

    def of(self, part: str, what: str | None = None) -> list[Row]:
        """The rows of a part, or of one thing in it."""
        return [row for row in self.rows if row["part"] == part and what in (None, row["what"])]

    def names(self, part: str) -> list[str]:
        """What was measured in a part, each once, in order."""
        return list(dict.fromkeys(row["what"] for row in self.of(part)))


def median(rows: Iterable[Row], key: str) -> float | None:
    """The median of a figure; None where no row has it."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return statistics.median(values) if values else None


def spread(rows: Iterable[Row], key: str) -> tuple[float, float]:
    """The least and the most."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return min(values), max(values)


def machine() -> Row:
    """What the figures were taken on."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()  # fmt: skip
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"), "commit": commit, "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30), "system": platform.platform(terse=True),
    }  # fmt: skip
