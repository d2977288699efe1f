"""The cluster in containers, by docker-compose: started, watched until it is healthy, ended."""

import ipaddress
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clusters import ServerState, brokers_at, environment_at
from compose_file import COMPOSE_FILE, Service, load_services
from env_file import link_for_compose, refuse_placeholders
from kafka_cluster.script import UserError
from readiness import LAST_CHECKS

FOLDER = COMPOSE_FILE.parent
HOST_NAME_FILE = FOLDER / "docker-compose.host-name.yml"
READY_SECONDS = 300.0
CHECK_SECONDS = 120.0
LOOPBACK = "127.0.0.1"
SETUP = "kibana-setup"
LABEL = "com.docker.compose."

Say = Callable[[str], None]


class ComposeCluster:
    """The containers of this checkout's compose file. `variables` are those that the file asks for."""

    def __init__(self, variables: Mapping[str, str], project: str | None = None, say: Say = print) -> None:
        self._variables, self._project, self._say = variables, project, say
        refuse_placeholders(variables)
        self.services: dict[str, Service] = load_services(variables)

    # verbs

    def up(self) -> dict[str, float]:
        """Start what does not run, and wait until all takes writes; returns the seconds of each phase."""
        check_addresses(self._variables)
        check_password(self._variables["elasticsearch_password"])
        link_for_compose()
        started = time.monotonic()
        if self._compose("up", "-d"):
            raise UserError("docker-compose could not start the cluster: it says why above")
        self._wait_until_healthy()
        healthy = time.monotonic()
        self._check_writes()
        return {"containers": healthy - started, "first writes": time.monotonic() - healthy}

    def down(self, volumes: bool = False) -> None:
        """Remove all containers; with `volumes` their data too."""
        if self._compose("down", *(["--volumes"] if volumes else [])):
            raise UserError("docker-compose could not end the cluster: it says why above")

    def kill(self, name: str) -> None:
        """SIGKILL one server; Docker does not start it again by itself."""
        if not self._container(name)["State"]["Running"]:
            raise UserError(f"{name} does not run")
        self._docker("kill", name)

    def start(self, name: str) -> None:
        """Start one server, and wait until it is healthy."""
        self._docker("start", name)
        deadline = time.monotonic() + READY_SECONDS
        while _health(self._container(name)) != "ready":
            if time.monotonic() > deadline:
                raise UserError(
                    f"{name} is not ready after {READY_SECONDS:.0f} s: see its log (cluster.py logs {name})"
                )
            time.sleep(0.3)

    def pause(self, name: str) -> None:
        """Freeze one server."""
        self._docker("pause", name)

    def unpause(self, name: str) -> None:
        """Let it go on."""
        self._docker("unpause", name)

    def states(self) -> list[ServerState]:
        """All servers; memory as Docker counts it."""
        found = containers()
        memory = _memory([container["Id"] for container in found.values() if container["State"]["Running"]])
        return [
            self._state(name, service, found.get(name), memory) for name, service in self.services.items()
        ]

    def log_command(self, name: str, follow: bool) -> list[str]:
        """The command that prints a server's output."""
        return ["docker", "logs", "--tail", "100", *(["-f"] if follow else []), self._container(name)["Id"]]

    def environment(self) -> dict[str, str]:
        """The variables that lead the scripts to this cluster, the password included."""
        variables = self._variables
        advertised = (
            variables.get("bootstrap_servers_name") or variables.get("bootstrap_servers_ip") or LOOPBACK
        )
        return environment_at(brokers_at(advertised), self._address, 0, variables) | {
            "kibana_url": self.kibana_url
        }

    @property
    def kibana_url(self) -> str:
        """Where a browser finds Kibana."""
        return f"http://{self._address}:5601"

    def hints(self) -> list[str]:
        """Where Kibana is and who logs in, and which ports are open to others."""
        said = [
            f"Kibana: {self.kibana_url}, user elastic; the password stands in .env, as elasticsearch_password",
        ]
        ip = self._variables.get("bootstrap_servers_ip") or LOOPBACK
        if ip != LOOPBACK:
            said.append(
                f"careful: the brokers' ports 9091, 9092, 9093 are open on {ip} (bootstrap_servers_ip), and Kafka asks "
                "nobody for a password: whoever reaches them can read and write"
            )
        if self._address != LOOPBACK:
            said.append(
                f"careful: on {self._address} (bind_address) are open, without a password: ZooKeeper 2181, HDFS 9870, "
                "9864, 9865, 9866; with one, unencrypted: Elasticsearch 9200, Kibana 5601"
            )
        return said

    # steps

    @property
    def _address(self) -> str:
        return self._variables.get("bind_address") or LOOPBACK

    def _compose(self, *arguments: str) -> int:
        """Run compose, whose output the person sees; the variables go by the environment, never by the command."""
        command = [*compose_command(), "-f", str(COMPOSE_FILE), "--project-directory", str(FOLDER)]
        if self._variables.get("bootstrap_servers_name"):
            command += ["-f", str(HOST_NAME_FILE)]
        if project := self._project or running_project():
            command += ["-p", project]
        environment = os.environ | dict(self._variables)
        return subprocess.run([*command, *arguments], env=environment, cwd=FOLDER, check=False).returncode

    def _docker(self, verb: str, name: str) -> None:
        done = _docker(verb, self._container(name)["Id"])
        if done.returncode:
            raise UserError(f"docker {verb} {name}: {done.stderr.strip()}")

    def _container(self, name: str) -> dict[str, Any]:
        if name not in self.services:
            raise UserError(f"there is no server {name}; there are {', '.join(self.services)}")
        if name not in (found := containers()):
            raise UserError(f"there is no container of {name}: start the cluster (cluster.py up --docker)")
        return found[name]

    def _wait_until_healthy(self) -> None:
        started, waiting = time.monotonic(), list(self.services)
        while waiting:
            found = containers()
            for name in list(waiting):
                if name in found and _health(found[name]) in ("ready", "done"):
                    waiting.remove(name)
                    self._say(f"  {name:<14} {_health(found[name])}")
                elif name == SETUP and name in found and found[name]["State"]["Status"] == "exited":
                    waiting.remove(name)
                    self._say(f"  {_last_line(found[name]['Id'])} (again: docker-compose up {SETUP})")
            if waiting and time.monotonic() - started > READY_SECONDS:
                raise UserError(
                    f"{', '.join(waiting)} not ready after {READY_SECONDS:.0f} s: "
                    f"see the log (python3 kafka-cluster/cluster.py logs {waiting[0]})"
                )
            time.sleep(0.5)

    def _check_writes(self) -> None:
        deadline = time.monotonic() + CHECK_SECONDS
        for what, check in LAST_CHECKS.items():
            while (fault := check(self.environment())) is not None:
                if time.monotonic() > deadline:
                    raise UserError(f"{what} takes no writes: {fault}")
                time.sleep(0.5)

    def _state(
        self, name: str, service: Service, container: dict[str, Any] | None, memory: Mapping[str, int]
    ) -> ServerState:
        health = _health(container) if container else "not there"
        runs = bool(container and container["State"]["Running"])
        ip = (
            self._variables.get("bootstrap_servers_ip") or LOOPBACK
            if name.startswith("kafka")
            else self._address
        )
        return ServerState(
            name, f"{ip}:{service.ports[0]}" if service.ports else "",
            container["Id"][:12] if container and runs else "", memory.get(container["Id"], 0) if container else 0,
            health, health in ("ready", "done"),
        )  # fmt: skip


def compose_command() -> list[str]:
    """`docker compose` or `docker-compose`, whichever is there; of two, the one that made the containers: another
    would make them anew. Raises UserError where there is neither, or no Docker."""
    there = []
    if shutil.which("docker") and not _docker("compose", "version").returncode:
        there.append(["docker", "compose"])
    if shutil.which("docker-compose"):
        there.append(["docker-compose"])
    if not there:
        raise UserError(
            "neither docker compose nor docker-compose is there: install Docker, or leave out --docker"
        )
    old = any(_label(container, "version").startswith("1.") for container in containers().values())
    return there[-1] if old else there[0]


def containers() -> dict[str, dict[str, Any]]:
    """The containers of this checkout by service, as `docker inspect` shows them; none where Docker is not there."""
    if not shutil.which("docker"):
        return {}
    listed = _docker("ps", "-aq", "--no-trunc", "--filter", f"label={LABEL}project.working_dir")
    ids = listed.stdout.split()
    found = json.loads(_docker("inspect", *ids).stdout or "[]") if ids else []
    return {
        container["Config"]["Labels"][f"{LABEL}service"]: container
        for container in found
        if _is_ours(container)
    }


def is_running() -> bool:
    """True if a server of this checkout runs in a container."""
    return any(container["State"]["Running"] for container in containers().values())


def running_project() -> str | None:
    """The name under which compose knows this checkout's containers; None where there are none."""
    return next((_label(container, "project") for container in containers().values()), None)


def check_addresses(variables: Mapping[str, str]) -> None:
    """Raise UserError for an address that Docker can't bind, or that clients can't be sent to."""
    for name in ("bootstrap_servers_ip", "bind_address"):
        value = variables.get(name) or LOOPBACK
        try:
            address = ipaddress.IPv4Address(value)
        except ValueError:
            cure = "127.0.0.1" if value == "localhost" else "such as 192.168.1.7"
            more = (
                "; a host name for clients goes into bootstrap_servers_name"
                if name.startswith("boot")
                else ""
            )
            raise UserError(
                f"{name} is {value}: Docker binds it, so give an IPv4 address, {cure}{more}"
            ) from None
        if address.is_unspecified:
            raise UserError(
                f"{name} is {value}, to which no client can be sent: give an address of this machine"
            )


def check_password(password: str) -> None:
    """Raise UserError for a password that Elasticsearch refuses, or that compose reads otherwise than the scripts."""
    if not re.fullmatch(r"[A-Za-z0-9_.~+=@%:,/-]{6,}", password):
        raise UserError(
            "elasticsearch_password wants at least 6 letters, digits, - or _: compose reads other signs in .env "
            "in ways of its own"
        )


def _label(container: dict[str, Any], name: str) -> str:
    return container["Config"]["Labels"].get(f"{LABEL}{name}", "")


def _is_ours(container: dict[str, Any]) -> bool:
    """Of this checkout, and no `compose run`."""
    same = Path(_label(container, "project.working_dir")).resolve() == FOLDER
    return same and _label(container, "oneoff") != "True"


def _health(container: dict[str, Any]) -> str:
    """In words; `ready` is a healthy server, `done` a set-up that has ended well."""
    state = container["State"]
    if state["Paused"]:
        return "frozen"
    if not state["Running"]:
        done = _label(container, "service") == SETUP and state["Status"] == "exited"
        return "done" if done and state["ExitCode"] == 0 else "down"
    health = state.get("Health", {}).get("Status", "running")
    return {"healthy": "ready", "unhealthy": "runs, does not answer"}.get(health, health)


def _memory(ids: list[str]) -> dict[str, int]:
    if not ids:
        return {}
    shown = _docker("stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", *ids).stdout
    sizes = re.findall(r"(?m)^(\w+) ([\d.]+)([KMG]?)i?B", shown)
    unit = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
    return {id_: int(float(number) * unit[prefix]) for id_, number, prefix in sizes}


def _last_line(id_: str) -> str:
    return (_docker("logs", "--tail", "1", id_).stdout.strip() or "the set-up of Kibana failed")[:300]


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
