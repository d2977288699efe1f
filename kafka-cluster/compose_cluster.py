"""The cluster in containers, by docker-compose: started, watched until it is healthy, ended."""

import ipaddress
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from clusters import PASSWORDS, Listener, Memory, ServerState, brokers_at, environment_at
from compose_file import COMPOSE_FILE, Service, load_services
from docker_containers import (
    FOLDER,
    SETUP,
    compose_command,
    containers,
    docker,
    health,
    last_line,
    memory,
    published,
    running_project,
    total_memory,
)
from env_file import link_for_compose, refuse_placeholders
from kafka_cluster.script import UserError
from readiness import LAST_CHECKS

HOST_NAME_FILE = FOLDER / "docker-compose.host-name.yml"
READY_SECONDS = 300.0
CHECK_SECONDS = 120.0
MEMORY_NEEDED = 11 << 29
"""5.5 GiB: the compose file's limits are 6 GB in sum, and a VM of 6 GB shows a little less."""
LOOPBACK = "127.0.0.1"

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
        check_passwords(self._variables)
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
        """Start one server, and wait until it is healthy; the set-up of Kibana, until it has ended."""
        self._docker("start", name)
        deadline = time.monotonic() + READY_SECONDS
        while health(container := self._container(name)) not in ("ready", "done"):
            if name == SETUP and container["State"]["Status"] == "exited":
                raise UserError(f"{name} failed: {last_line(container['Id'])}")
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
        held = memory([container["Id"] for container in found.values() if container["State"]["Running"]])
        return [self._state(name, service, found.get(name), held) for name, service in self.services.items()]

    def listeners(self) -> list[Listener]:
        """All published ports of the containers that run."""
        return [
            Listener(name, *where)
            for name, container in containers().items()
            if container["State"]["Running"]
            for where in sorted(published(container))
        ]

    def memory(self) -> Memory:
        """What Docker has for all containers."""
        cure = "give Docker Desktop 8 GB: Settings, Resources, Memory limit"
        return Memory(total_memory(), MEMORY_NEEDED, cure)

    def log_command(self, name: str, follow: bool) -> list[str]:
        """The command that prints a server's output."""
        return ["docker", "logs", "--tail", "100", *(["-f"] if follow else []), self._container(name)["Id"]]

    def environment(self) -> dict[str, str]:
        """The variables that lead the scripts to this cluster, the passwords included."""
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
        done = docker(verb, self._container(name)["Id"])
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
            try:
                found = containers()
            except UserError:  # Docker is busy with the start: it has just answered compose
                found = {}
            for name in list(waiting):
                if name in found and health(found[name]) in ("ready", "done"):
                    waiting.remove(name)
                    self._say(f"  {name:<14} {health(found[name])}")
                elif name == SETUP and name in found and found[name]["State"]["Status"] == "exited":
                    waiting.remove(name)
                    self._say(f"  {last_line(found[name]['Id'])} (again: docker-compose up {SETUP})")
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
        self, name: str, service: Service, container: dict[str, Any] | None, held: Mapping[str, int]
    ) -> ServerState:
        said = health(container) if container else "not there"
        runs = bool(container and container["State"]["Running"])
        ip = (
            self._variables.get("bootstrap_servers_ip") or LOOPBACK
            if name.startswith("kafka")
            else self._address
        )
        return ServerState(
            name, f"{ip}:{service.ports[0]}" if service.ports else "",
            container["Id"][:12] if container and runs else "", held.get(container["Id"], 0) if container else 0,
            said, said in ("ready", "done"),
        )  # fmt: skip


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


def check_passwords(variables: Mapping[str, str]) -> None:
    """Raise UserError for a password that Elasticsearch refuses, or that compose reads otherwise than the scripts."""
    for name in PASSWORDS:
        if variables.get(name) and not re.fullmatch(r"[A-Za-z0-9_.~+=@%:,/-]{6,}", variables[name]):
            raise UserError(
                f"{name} wants at least 6 letters, digits, - or _: compose reads other signs in .env in ways of its own"
            )
