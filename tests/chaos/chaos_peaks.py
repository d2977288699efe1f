"""How much memory each kind of process takes at most, and the spill file on disk, whatever is down at the moment."""

import contextlib
import threading

import psutil

from chaos_load import Load, Process

EVERY_SECONDS = 1.0
MEMORY_BOUND = (
    300 << 20
)  # buffers of 14 MB, twice over while they are written, on 80 MB of Python and libraries


class Peaks:
    """Looks once a second. `memory`: resident bytes by what runs; `spill`: bytes."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.memory: dict[str, int] = {}
        self.spill = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join(10)

    def __str__(self) -> str:
        memory = ", ".join(f"{what} {peak / 2**20:.0f} MB" for what, peak in sorted(self.memory.items()))
        return f"most memory of a process: {memory}; spill file at most {self.spill / 2**20:.1f} MB"

    def _run(self) -> None:
        while not self._closing.wait(EVERY_SECONDS):
            for process in list(self._load.pipeline.processes):
                if process.poll() is None:
                    with contextlib.suppress(psutil.Error):
                        name, peak = what(process), psutil.Process(process.pid).memory_info().rss
                        self.memory[name] = max(self.memory.get(name, 0), peak)
            with contextlib.suppress(OSError):
                folder = self._load.spill_file.parent
                self.spill = max(self.spill, sum(file.stat().st_size for file in folder.iterdir()))


def what(process: Process) -> str:
    """consumer.py --group hdfs, say."""
    script, *arguments = [str(part).rpartition("/")[2] for part in process.args[1:]]  # type: ignore[index, union-attr]
    return " ".join([script, *arguments[:2]]) if script == "consumer.py" else f"{script} {arguments[0]}"
