"""The cluster as processes of this machine: supplied, provisioned, started, watched until it is ready, ended."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

import downloads
from clusters import Listener, Memory, ServerState, brokers_at, environment_at
from compose_file import Service, load_services
from env_file import refuse_placeholders
from kafka_cluster.script import ROOT, UserError, uninterrupted
from native_launch import NATIVE, launch, supply
from own_folders import make_own, require_own, write_faults_told
from processes import ServerProcess, check_free, is_taken
from provisioning import provision
from readiness import LAST_CHECKS, is_ready
from server_config import LOOPBACK, ServerConfig, server_config

READY_SECONDS = 120.0
RESTARTS = 4
MEMORY_NEEDED = 3 << 30  # resident after an hour of load: 2.6 to 2.9 GB
BROKER_STOP_SECONDS, STOP_SECONDS = 15.0, 8.0
# These would move servers off loopback; the native way always stays on it.
DOCKER_ONLY = {"bootstrap_servers_ip", "bootstrap_servers_name", "bind_address"}
# The highest port, 29093, stays below 32768, from where on Linux gives ports to outgoing connections.
TEST_OFFSETS = range(1_000, 3_600, 100)

Say = Callable[[str], None]


class NativeCluster:
    """All servers of one checkout and port offset. `variables` are those that the compose file asks for."""

    def __init__(
        self, variables: Mapping[str, str], offset: int = 0, say: Say = print,
        services: Mapping[str, Service] | None = None,
    ) -> None:  # fmt: skip
        """`services`: others than those of the compose file."""
        self.offset, self._say, self._variables = offset, say, variables
        self.folder = state_folder(offset)
        require_own(self.folder)
        refuse_placeholders(variables)
        variables = {key: value for key, value in variables.items() if key not in DOCKER_ONLY}
        services = services or load_services(variables)
        names = [name for name in services if name not in NATIVE["not_native"]]
        self.configs = {
            name: server_config(
                services[name], names, NATIVE["services"][name].get("port_keys", []), offset, str(self.folder / name)
            )
            for name in names
        }  # fmt: skip
        self.processes = {name: ServerProcess(name, self.folder / name) for name in names}
        self._variables = variables
        self._complete = self.folder / "complete"

    # verbs

    def up(self) -> dict[str, float]:
        """Start what does not run, and wait until all is ready; returns the seconds of each phase.

        Raises UserError; then nothing that this call started is left running.
        """
        seconds: dict[str, float] = {}
        with write_faults_told(self.folder), self._lock():
            self._end_aborted()
            missing = [name for name, process in self.processes.items() if process.pid is None]
            try:
                for name in missing:
                    check_free(name, self.configs[name].ports)
                with _timed(seconds, "software"):
                    software = supply(missing)
                with _timed(seconds, "servers"):
                    self._start_and_wait(missing, software)
                with _timed(seconds, "first writes"):
                    self._check_writes()
                self._complete.touch()
            except BaseException:
                self._stop(missing)
                raise
        return seconds

    def down(self, volumes: bool = False) -> None:
        """End all servers, brokers first; with `volumes` their data too."""
        if not self.folder.exists():
            return
        with write_faults_told(self.folder), self._lock():
            self._complete.unlink(missing_ok=True)
            self._stop(list(self.processes))
        if volumes:
            doomed = self.folder.with_name(f"{self.folder.name}.deleted")
            with uninterrupted():  # of the data of servers that know each other, all goes or nothing
                shutil.rmtree(doomed, ignore_errors=True)
                self.folder.rename(doomed)
                shutil.rmtree(doomed)

    def start(self, name: str) -> None:
        """Start one server and wait until it is ready."""
        process = self._known(name)
        if process.pid is None:
            check_free(name, self.configs[name].ports)
            with write_faults_told(self.folder):
                self._start_and_wait([name], supply([name]))

    def kill(self, name: str) -> None:
        """SIGKILL one server."""
        process = self._known(name)
        if process.pid is None:
            raise UserError(f"{name} does not run")
        process.kill()

    def log_file(self, name: str) -> Path:
        """Where a server's output goes."""
        return self._known(name).log

    def log_command(self, name: str, follow: bool) -> list[str]:
        """The command that prints a server's output."""
        return ["tail", "-n", "100", *(["-f"] if follow else []), str(self.log_file(name))]

    def environment(self) -> dict[str, str]:
        """The variables that lead the scripts to this cluster, the passwords included."""
        return environment_at(brokers_at(LOOPBACK, self.offset), LOOPBACK, self.offset, self._variables)

    def states(self) -> list[ServerState]:
        """All servers, asked at the same time: one that hangs takes seconds."""
        with ThreadPoolExecutor(len(self.configs)) as askers:
            return list(askers.map(lambda name: self._state(name, self.configs[name]), self.configs))

    def listeners(self) -> list[Listener]:
        """All addresses of this machine at which the servers that run can be reached."""
        return [
            Listener(name, *where)
            for name, process in self.processes.items()
            for where in sorted(process.listeners())
        ]

    def memory(self) -> Memory:
        """What is free, and what the servers have already."""
        room = psutil.virtual_memory().available + self.resident_bytes()
        return Memory(room, MEMORY_NEEDED, "end other programs, or use a machine with more memory")

    def hints(self) -> list[str]:
        """Memory; for a second cluster, how to use it."""
        said = [f"{self.resident_bytes() / 2**30:.1f} GB resident"]
        if self.offset:
            # an empty password is shown: it unsets that of .env, which is for servers elsewhere
            shown = [
                f"{key}={value}"
                for key, value in self.environment().items()
                if "password" not in key or not value
            ]
            said.append("to use it:  export " + " ".join(shown))
        return said

    def resident_bytes(self) -> int:
        """Memory of all servers together."""
        return sum(process.resident_bytes() for process in self.processes.values())

    # steps

    def _state(self, name: str, config: ServerConfig) -> ServerState:
        process = self.processes[name]
        pid = process.pid
        ready = pid is not None and is_ready(name, config, self.environment())
        health = "ready" if ready else "down" if pid is None else "runs, does not answer"
        return ServerState(
            name, f"{LOOPBACK}:{config.ports[0]}", str(pid or ""), process.resident_bytes(), health, ready
        )

    def _known(self, name: str) -> ServerProcess:
        if name not in self.processes:
            raise UserError(f"there is no server {name}; there are {', '.join(self.processes)}")
        return self.processes[name]

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        # Elasticsearch's user must get through to its own folder; all folders below are closed to others.
        make_own(self.folder, 0o711 if os.geteuid() == 0 else 0o700)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError("another cluster.py is at work on this cluster; wait for it") from None
            yield

    def _end_aborted(self) -> None:
        running = [name for name, process in self.processes.items() if process.pid]
        if running and not self._complete.exists():
            self._say(f"ending what an aborted run left: {', '.join(running)}")
            self._stop(running)

    def _start_and_wait(self, names: list[str], software: Mapping[str, str]) -> None:
        started = time.monotonic()
        for name in names:
            provision(self.configs[name], self.folder / name, software)
        with uninterrupted(), ThreadPoolExecutor(len(self.processes)) as starters:  # what runs must be known
            list(starters.map(lambda name: self._launch(name, software), names))
        waiting, restarts = list(names), dict.fromkeys(names, 0)
        while waiting:
            for name in list(waiting):
                if self.processes[name].pid is None and restarts[name] < RESTARTS:
                    # As Docker does: a broker that was killed ends when it finds its old session in ZooKeeper.
                    restarts[name] += 1
                    time.sleep(1)
                    with uninterrupted():
                        self._launch(name, software)
                self._raise_if_dead(name)
                if is_ready(name, self.configs[name], self.environment()):
                    waiting.remove(name)
                    self._say(f"  {name:<14} ready after {time.monotonic() - started:4.1f} s")
            if waiting and time.monotonic() - started > READY_SECONDS:
                raise UserError(
                    f"{', '.join(waiting)} not ready after {READY_SECONDS:.0f} s; see {self.log_file(waiting[0])}:\n"
                    + self.processes[waiting[0]].last_words()
                )
            time.sleep(0.2)

    def _launch(self, name: str, software: Mapping[str, str]) -> None:
        launch(self.processes[name], self.configs[name], self.folder / name, software)

    def _raise_if_dead(self, name: str) -> None:
        process = self.processes[name]
        if process.pid is None:
            raise UserError(f"{name} ended while starting; see {process.log}:\n{process.last_words()}")

    def _check_writes(self) -> None:
        """A server is up when it takes a write, and is ours when our process still lives afterwards."""
        deadline = time.monotonic() + READY_SECONDS
        for what, check in LAST_CHECKS.items():
            while (fault := check(self.environment())) is not None:
                if time.monotonic() > deadline:
                    raise UserError(f"{what} takes no writes: {fault}")
                time.sleep(0.3)
        for name in self.processes:
            self._raise_if_dead(name)

    def _stop(self, names: list[str]) -> None:
        """Brokers first, all at once: they hand over their leaders while ZooKeeper is still there."""
        brokers = [name for name in names if name.startswith("kafka")]
        others = [name for name in names if name not in (*brokers, "zookeeper")]
        with uninterrupted(), ThreadPoolExecutor(8) as stoppers:
            later = [stoppers.submit(self.processes[name].stop, STOP_SECONDS) for name in others]
            list(stoppers.map(lambda name: self.processes[name].stop(BROKER_STOP_SECONDS), brokers))
            for stopped in later:
                stopped.result()
            if "zookeeper" in names:
                self.processes["zookeeper"].stop(STOP_SECONDS)


def state_folder(offset: int) -> Path:
    """Where the cluster of this checkout and offset keeps its data, logs and pids."""
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]
    if os.geteuid() == 0:  # below root's home no other user gets through
        base = Path("/var/tmp")  # noqa: S108
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / f"{downloads.NAME}-{checkout}-{offset}"


def free_offset(variables: Mapping[str, str], offsets: range = TEST_OFFSETS) -> int:
    """The first port offset at which every port of the cluster is free."""
    for offset in offsets:
        if os.path.lexists(state_folder(offset)):
            continue
        cluster = NativeCluster(variables, offset)
        ports = [port for config in cluster.configs.values() for port in config.ports]
        if not any(map(is_taken, ports)):
            return offset
    raise UserError("no port offset is free")


@contextlib.contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[phase] = time.monotonic() - started
