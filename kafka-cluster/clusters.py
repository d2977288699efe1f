"""What both ways to run the servers have in common, as the verbs of cluster.py use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kafka_cluster.settings import ELASTICSEARCH_USERS

PASSWORDS = ("elasticsearch_password", *ELASTICSEARCH_USERS.values())
ELSEWHERE = (
    "kafka_security_protocol", "kafka_user", "kafka_password", "kafka_ca_file", "kafka_certificate_file",
    "kafka_key_file", "elasticsearch_api_key", "elasticsearch_ca_file", "webhdfs_ca_file",
)  # fmt: skip
"""Settings for servers that speak TLS or know their users, as ours don't."""


@dataclass(frozen=True)
class ServerState:
    """One server, now."""

    name: str
    address: str
    place: str
    """The pid of its process, or the short id of its container; empty where it does not run."""
    resident_bytes: int
    health: str
    well: bool


@dataclass(frozen=True)
class Memory:
    """What all servers together can have, and what they need, in bytes; and how to give them more."""

    room: int
    needed: int
    cure: str


class Listener(NamedTuple):
    """Where a server takes connections."""

    name: str
    address: str
    port: int


class Cluster(Protocol):
    """The servers of one checkout, as processes or in containers."""

    def up(self) -> dict[str, float]:
        """Start what does not run, wait until all takes writes; the seconds of each phase. Raises UserError."""

    def down(self, volumes: bool = False) -> None:
        """End all servers; with `volumes` their data too."""

    def kill(self, name: str) -> None:
        """End one server at once; it stays down."""

    def start(self, name: str) -> None:
        """Start it again, and wait until it is ready."""

    def states(self) -> list[ServerState]:
        """All servers."""

    def listeners(self) -> list[Listener]:
        """All addresses of this machine at which the servers that run can be reached."""

    def memory(self) -> Memory:
        """Room for the servers. Raises UserError where it can't be told."""

    def log_command(self, name: str, follow: bool) -> list[str]:
        """The command that prints a server's output."""

    def environment(self) -> dict[str, str]:
        """The variables that lead the scripts to this cluster, the passwords included."""

    def hints(self) -> list[str]:
        """What the person who started it should know: where to look, what is open."""


def with_stand_in(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, with something in place of the password that the compose file wants, where the scripts log in to
    servers elsewhere without it: for a launcher that is asked what runs here, and starts nothing."""
    others = ("elasticsearch_api_key", *ELASTICSEARCH_USERS.values())
    if variables.get("elasticsearch_password") or not any(variables.get(name) for name in others):
        return dict(variables)
    return {**variables, "elasticsearch_password": "none"}


def brokers_at(host: str, offset: int = 0) -> str:
    """`bootstrap_servers` for the three external ports."""
    return ",".join(f"{host}:{9091 + number + offset}" for number in range(3))


def environment_at(brokers: str, host: str, offset: int, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that lead the scripts to the servers at `host`; `variables` holds the passwords.

    What `.env` says of servers elsewhere is unset.
    """
    return {name: "" for name in ELSEWHERE if variables.get(name)} | {
        "bootstrap_servers": brokers,
        "elasticsearch_url": f"http://{host}:{9200 + offset}",
        "webhdfs_url": f"http://{host}:{9870 + offset}",
        "elasticsearch_user": "elastic",
        **{name: variables[name] for name in PASSWORDS if variables.get(name)},
    }
