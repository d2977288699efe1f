"""What runs while faults are injected: both groups, a simulated stream, replayed lines; and what they promised."""

import contextlib
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from random import Random

from kafka_cluster.message import NotATweet, tweet_record
from pipeline import Pipeline
from tweet_generator import TweetGenerator

Process = subprocess.Popen[str]
BATCH_SECONDS = 20
LEAVE_SECONDS = 40
RESTART_SECONDS = 3
REPLAY_SECONDS = 120
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)  # so that no replayed id is one of the simulated stream


class Crew:
    """So many processes of one script: what ends is started again; what ended by itself is counted."""

    def __init__(self, start: Callable[..., Process], wanted: int) -> None:
        self._start, self.wanted = start, wanted
        self.members: list[Process] = []
        self.lock = threading.Lock()
        self.endings: Counter[str] = Counter()
        self._next_start = 0.0

    def pick(self, chance: Random) -> Process:
        """One that runs; waits for it."""
        while True:
            with self.lock:
                alive = [member for member in self.members if member.poll() is None]
            if alive:
                return chance.choice(alive)
            time.sleep(0.1)

    def kill(self, member: Process, meanwhile: Callable[[], None] = lambda: None) -> None:
        """SIGKILL; the next one is not started before `meanwhile` is done."""
        with self.lock:
            member.kill()
            member.wait()
            meanwhile()
            self.members = [other for other in self.members if other is not member]

    def join(self, **env: str) -> Process:
        """One more, with variables of its own."""
        with self.lock:
            self.wanted += 1
            self.members.append(self._start(**env))
            return self.members[-1]

    def leave(self, member: Process) -> None:
        """Ask one to end, which it must do by itself, with exit code 0."""
        with self.lock:
            self.members = [other for other in self.members if other is not member]
        member.terminate()
        try:
            member.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            member.kill()
        if code := member.wait():
            self.endings[f"asked to end: exit code {code}: {last_line(member)}"] += 1

    def tend(self) -> None:
        """Start what is missing, one at a time."""
        with self.lock:
            for member in [member for member in self.members if member.poll() is not None]:
                self.members.remove(member)
                self.endings[f"exit code {member.returncode}: {last_line(member)}"] += 1
                self._next_start = time.monotonic() + RESTART_SECONDS
            if len(self.members) < self.wanted and time.monotonic() >= self._next_start:
                self.members.append(self._start())


class Load:
    """Both groups, the stream and the feed. `promised`: ids of tweets that must be in the topic at the end."""

    def __init__(self, pipeline: Pipeline, rate: float, seed: int) -> None:
        self.pipeline, self._rate = pipeline, rate / 2
        self._lock = threading.Lock()
        self.promised: set[bytes] = set()
        self.refused = 0
        self.feeding: Process | None = None
        self._files = count()
        self._lines = TweetGenerator(seed, LONG_AGO, redelivered=0).lines(LONG_AGO, rate)
        seeds = iter(range(seed, 1 << 30))
        self.stream = Crew(
            lambda: self.start(
                "producer.py", "simulate", "--rate", f"{self._rate}", "--seed", str(next(seeds))
            ),
            1,
        )
        self.groups = {
            name: Crew(lambda group=group, **env: self.start("consumer.py", "--group", group, **env), 2)  # type: ignore[misc]
            for name, group in (("A", "elasticsearch"), ("B", "hdfs"))
        }
        self.crews = {"stream": self.stream, **self.groups}
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=what, daemon=True) for what in (self._tend, self._feed)]

    def begin(self) -> None:
        """Start everything."""
        for thread in self._threads:
            thread.start()

    def start(self, script: str, *arguments: str, **env: str) -> Process:
        """Start a script, from any thread."""
        with self._lock:
            return self.pipeline.start(script, *arguments, **env)

    def end(self) -> None:
        """Everything leaves; then a last run of the stream sends what still waits on disk."""
        assert all(thread.is_alive() for thread in self._threads), "the load has ended by itself"
        self._stopping.set()
        if self.feeding:
            self.feeding.terminate()  # it says how many lines it has read, and waits for their acknowledgement
        for thread in self._threads:
            thread.join(REPLAY_SECONDS)
        with ThreadPoolExecutor(8) as leaving:
            for crew in self.crews.values():
                crew.wanted = 0
                list(leaving.map(crew.leave, list(crew.members)))
        if self.spill_file.exists():
            self.note_spilled()
            last = self.pipeline.run("producer.py", "simulate", "--rate", "10", "--duration", "5")
            assert last.returncode == 0 and not self.spill_file.exists(), last.stdout + last.stderr

    # the stream's spill file

    @property
    def spill_file(self) -> Path:
        """Where the stream's tweets wait."""
        return self.pipeline.folder / "spill" / f"simulator-{self.pipeline.settings.topic}.sqlite"

    def note_spilled(self) -> None:
        """What waits on disk when its producer is dead is promised. Read from a copy: the file is its alone."""
        if not self.spill_file.exists():
            return
        copy = self.pipeline.folder / "spilled.sqlite"
        for end in ("", "-wal"):
            Path(f"{copy}{end}").unlink(missing_ok=True)
            if Path(f"{self.spill_file}{end}").exists():
                shutil.copy(f"{self.spill_file}{end}", f"{copy}{end}")
        database = sqlite3.connect(copy)
        self.promised.update(key for (key,) in database.execute("SELECT key FROM waiting WHERE key NOT NULL"))
        database.close()

    # replayed lines

    def next_lines(self, number: int) -> list[bytes]:
        """So many tweets that nobody has sent before."""
        with self._lock:
            return list(islice(self._lines, number))

    def replay(self, lines: list[bytes], *options: str, feeding: bool = False, **env: str) -> None:
        """Send lines with `producer.py replay` until it says that all are acknowledged, or the run ends."""
        with self._lock:
            file = self.pipeline.folder / f"replay-{next(self._files)}.jsonl"  # several threads replay
        file.write_bytes(b"\n".join(lines) + b"\n")
        while True:
            process = self.start("producer.py", "replay", str(file), *options, **env)
            self.feeding = process if feeding else self.feeding
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(REPLAY_SECONDS)
            process.kill()  # if it hangs
            if process.wait() == 0:
                self._promise(lines[: lines_read(process)])
                break
            if self._stopping.wait(1):
                break
        file.unlink()

    def _promise(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                self.promised.add(tweet_record(line, "replay").key)
            except NotATweet:
                self.refused += 1

    def _feed(self) -> None:
        while not self._stopping.is_set():
            lines = self.next_lines(int(self._rate * BATCH_SECONDS))
            self.replay(lines, "--rate", f"{self._rate}", feeding=True)

    def _tend(self) -> None:
        while not self._stopping.wait(0.3):
            for crew in self.crews.values():
                crew.tend()


def last_line(process: Process) -> str:
    """The end of what a process said."""
    lines = log_of(process).strip().splitlines()
    return lines[-1][:160] if lines else ""


def lines_read(process: Process) -> int:
    """How many lines a producer that has ended well says to have read."""
    found = re.search(r"read ([\d,]+) lines:[^\n]*acknowledged by Kafka$", log_of(process).strip())
    assert found, log_of(process)
    return int(found[1].replace(",", ""))


def log_of(process: Process) -> str:
    """All that a process said."""
    return process.log.read_text(errors="replace")  # type: ignore[attr-defined, no-any-return]


def acknowledged(processes: list[Process]) -> Iterator[int]:
    """What each stream's producer that ended well says to have got acknowledged."""
    for process in processes:
        if "simulate" in process.args and process.returncode == 0:  # type: ignore[operator]
            found = re.search(r"([\d,]+) acknowledged by Kafka", log_of(process))
            yield int(found[1].replace(",", "")) if found else 0


def crashed(processes: list[Process]) -> list[Process]:
    """Those that printed a traceback."""
    return [process for process in processes if "Traceback" in log_of(process)]
