"""A client at work, seen from outside: what has arrived at the sink, CPU seconds, memory; and its steady part."""

import contextlib
import math
import os
import signal
import subprocess
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

LOOK_SECONDS = 0.2
CHILDREN_SECONDS = 1.0
"""How often new children are looked for, which costs a look at every process of the machine."""
STEADY = (0.1, 0.9)
"""The part that counts as steady, as shares of what arrives at the sink."""
ALL_THERE, QUIET_SECONDS = 0.99, 2.0
END_SECONDS = 20.0
PER = 100_000


@dataclass(frozen=True)
class Sample:
    """One look: seconds since the start, what had arrived, CPU seconds of the client and of its sink's servers.

    `others`: CPU seconds that neither they nor the cluster nor this process have used.
    """

    at: float
    arrived: float
    client: float
    server: float
    others: float = 0.0


class Tree:
    """Processes and all their children, also those that have ended: CPU seconds, and bytes resident at most.

    `grows`: False for servers, whose children are there from the start.
    """

    def __init__(self, pids: Sequence[int], grows: bool = True) -> None:
        self._roots, self._pause = pids, CHILDREN_SECONDS if grows else math.inf
        self._known: dict[int, psutil.Process] = {}
        self._cpu: dict[int, float] = {}
        self._looked = -math.inf
        self.resident = 0

    def cpu(self) -> float:
        """Seconds, user and system."""
        if self._looked < 0 or time.monotonic() - self._looked > self._pause:
            self._looked = time.monotonic()
            for pid in self._roots:
                with contextlib.suppress(psutil.Error):
                    root = psutil.Process(pid)
                    self._known |= {each.pid: each for each in (root, *root.children(recursive=True))}
        resident = 0
        for pid, process in list(self._known.items()):
            try:
                with process.oneshot():
                    self._cpu[pid] = sum(process.cpu_times()[:2])
                    resident += process.memory_info().rss
            except psutil.Error:
                del self._known[pid]  # what it used is kept
        self.resident = max(self.resident, resident)
        return sum(self._cpu.values())


@dataclass
class Running:
    """A started client. `arrived`: what is at the sink, in records or bytes.

    `own`: all servers of the cluster. `expected`: all of it, for a client that does not end by itself; `enough`: the
    share at which it is ended at once.
    """

    process: subprocess.Popen[bytes]
    log: Path
    arrived: Callable[[], float]
    servers: Tree
    own: Tree = field(default_factory=lambda: Tree([]))
    expected: float | None = None
    enough: float = 1.0
    samples: list[Sample] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.tree = Tree([self.process.pid])
        self._base = (self.arrived(), self.servers.cpu())

    def look(self) -> None:
        """Take a sample."""
        arrived, server = self.arrived() - self._base[0], self.servers.cpu() - self._base[1]
        client = self.tree.cpu()
        others = busy_seconds() - self.own.cpu() - client - time.process_time()
        self.samples.append(Sample(time.monotonic() - self.started, arrived, client, server, others))

    @property
    def share(self) -> float:
        """How much of what is expected has arrived."""
        return self.samples[-1].arrived / self.expected if self.samples and self.expected else 0.0

    @property
    def quiet_seconds(self) -> float:
        """How long nothing has arrived."""
        last = self.samples[-1]
        return last.at - next(each.at for each in self.samples if each.arrived >= last.arrived)

    @property
    def over(self) -> bool:
        """It has ended, or everything has arrived: for those that never end."""
        if self.process.poll() is not None:
            return True
        return self.share >= self.enough or (self.share >= ALL_THERE and self.quiet_seconds > QUIET_SECONDS)

    def end(self) -> None:
        """SIGTERM, then SIGKILL, to the process and its children."""
        end_tree(self.process, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL at once."""
        end_tree(self.process, signal.SIGKILL)

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def busy_seconds() -> float:
    """CPU seconds of all cores since the machine was started, other machines' on the same host included."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def start(command: Sequence[str], env: Mapping[str, str], folder: Path, **more: Any) -> Running:
    """Start a client in a session of its own; its output goes to a file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{time.time_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    return Running(process, log, **more)


def follow(runs: Sequence[Running], seconds: float) -> None:
    """Look at all of them until each is over. Fails where one takes longer, or ends with an error."""
    deadline = time.monotonic() + seconds
    while running := [run for run in runs if not run.over]:
        for run in running:
            run.look()
        assert time.monotonic() < deadline, f"not over after {seconds:.0f} s: {running[0].last_words()}"
        time.sleep(LOOK_SECONDS)
    for run in runs:
        run.look()
        assert not run.process.poll(), f"exit code {run.process.poll()}: {run.last_words()}"


def steady(run: Running, records: int) -> dict[str, float]:
    """What the run took in its steady part: records/s; CPU seconds per 100,000; MB; seconds before the first arrived;
    how many cores other work had meanwhile.

    `records`: how many have arrived in all, whatever `arrived` counts.
    """
    samples = sorted(run.samples, key=lambda each: each.at)
    total = samples[-1].arrived
    assert total, f"nothing has arrived: {run.last_words()}"
    begin, end = (_when(samples, total * share) for share in STEADY)
    moved = records * (STEADY[1] - STEADY[0])
    first = next(each.at for each in samples if each.arrived > 0)
    return {
        "rate": moved / (end.at - begin.at), "client": (end.client - begin.client) / moved * PER,
        "server": (end.server - begin.server) / moved * PER, "resident": run.tree.resident / 2**20, "before": first,
        "others": (end.others - begin.others) / (end.at - begin.at),
    }  # fmt: skip


def _when(samples: Sequence[Sample], arrived: float) -> Sample:
    """The moment at which so much had arrived, between two looks in proportion."""
    later = bisect_left(samples, arrived, key=lambda each: each.arrived)
    before, after = samples[max(0, later - 1)], samples[later]
    part = (arrived - before.arrived) / ((after.arrived - before.arrived) or 1.0)

    def between(one: float, other: float) -> float:
        return one + part * (other - one)

    return Sample(
        between(before.at, after.at),
        arrived,
        between(before.client, after.client),
        between(before.server, after.server),
        between(before.others, after.others),
    )


def end_tree(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process and its children, by their ids, and see them gone."""
    try:
        root = psutil.Process(process.pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for each in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(number)
    _, left = psutil.wait_procs(tree[1:], END_SECONDS)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        left.append(root)
    for each in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
