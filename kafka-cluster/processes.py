"""Servers as processes: started in a group of their own, known again by pid and start time, ended group-wise."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

from kafka_cluster.script import UserError

KILL_SECONDS = 10.0
Answer = TypeVar("Answer")


class ServerProcess:
    """One server's process group; what is known of it stands in `<folder>/pid.json`, so that any shell finds it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.log = folder / "output.log"
        self._pid_file = folder / "pid.json"
        self._child: subprocess.Popen | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str], user: str | None = None) -> None:
        """Start the server. As root, `user` is who it runs as."""
        self._reap()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, user=user, group=_primary_group(user), extra_groups=[] if user else None,
                umask=0o077,
            )  # fmt: skip
        self._child = process
        known: dict[str, Any] = {"pid": process.pid, "created": psutil.Process(process.pid).create_time()}
        if started := _started(process.pid):
            known["started"] = started
        self._pid_file.write_text(json.dumps(known))

    @property
    def pid(self) -> int | None:
        """The pid of the group's leader, None where it no longer runs."""
        try:
            known = json.loads(self._pid_file.read_text())
            process = psutil.Process(known["pid"])
            if "started" in known:
                ours = _started(known["pid"]) == known["started"]
            else:  # not Linux, or written by an earlier version
                ours = process.create_time() == known["created"]
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return known["pid"] if ours and _lives(process) else None

    def signal(self, number: int) -> bool:
        """Send a signal to the whole group; False where nothing runs."""
        pid = self.pid
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(pid, number)
        return True

    def stop(self, seconds: float) -> None:
        """SIGTERM, then SIGKILL after so many seconds; returns when the group is gone."""
        group = self._group()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        for process in _wait_until_gone(group, seconds):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._end(group)

    def kill(self) -> None:
        """SIGKILL; returns when the group is gone."""
        group = self._group()
        self.signal(signal.SIGKILL)
        self._end(group)

    def resident_bytes(self) -> int:
        """Memory that the group holds."""
        return sum(_of_living(self._group(), lambda process: process.memory_info().rss))

    def listeners(self) -> set[tuple[str, int]]:
        """Addresses and ports at which the group takes connections."""
        return {
            (connection.laddr.ip, connection.laddr.port)
            for connections in _of_living(self._group(), lambda process: process.net_connections("tcp"))
            for connection in connections
            if connection.status == psutil.CONN_LISTEN
        }

    def _group(self) -> list[psutil.Process]:
        pid = self.pid
        if pid is None:
            return []
        try:
            leader = psutil.Process(pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:  # it has just ended
            return []

    def _end(self, group: list[psutil.Process]) -> None:
        _wait_until_gone(group, KILL_SECONDS)
        self._reap()

    def _reap(self) -> None:
        if self._child:  # else another shell's `up` started it
            self._child.poll()

    def last_words(self, lines: int = 5) -> str:
        """The end of its output."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(f"    {line[:200]}" for line in text.splitlines()[-lines:])


def _started(pid: int) -> str | None:
    """Which boot of Linux a process was started in, and how many ticks after it; None elsewhere.

    psutil's `create_time` is a time of day: it moves when the clock is set, or a virtual machine is resumed.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return f"{boot} {stat.rpartition(')')[2].split()[19]}"  # field 22; the second, a name, may hold anything


def _lives(process: psutil.Process) -> bool:
    """False for one that has ended, also where whoever started it has not yet asked how."""
    try:
        # the first thread is a zombie as soon as it has ended, while others of a JVM still do
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return process.is_running() and not ended
    except psutil.NoSuchProcess:
        return False


def _of_living(group: list[psutil.Process], ask: Callable[[psutil.Process], Answer]) -> Iterator[Answer]:
    """Each process's answer, but for those that have ended meanwhile."""
    for process in group:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield ask(process)


def _wait_until_gone(group: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait, at most so long; returns those that still live."""
    deadline = time.monotonic() + seconds
    while (group := [process for process in group if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return group


def _primary_group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def check_free(name: str, ports: Sequence[int]) -> None:
    """Raise UserError if one of the ports is taken, naming who holds it."""
    for port in ports:
        if is_taken(port):
            raise UserError(
                f"port {port}, which {name} needs, is taken by {_holder(port)}: end that, or take other ports "
                "with --port-offset 1000"
            )


def is_taken(port: int) -> bool:
    """True if something listens on 127.0.0.1:port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "a process that you may not see"
