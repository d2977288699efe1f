"""What Docker knows of this checkout's containers, and the compose that is there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from compose_file import COMPOSE_FILE
from kafka_cluster.script import UserError

FOLDER = COMPOSE_FILE.parent
SETUP = "kibana-setup"
"""The one service that ends by itself."""
_LABEL = "com.docker.compose."
QUERY_SECONDS = 10.0
"""For what Docker answers at once, unless it hangs."""
NO_ANSWER = "no answer"


def compose_command() -> list[str]:
    """`docker compose` or `docker-compose`, whichever is there; of two, the one that made the containers: another
    would make them anew. Raises UserError where there is neither, or no Docker."""
    there = []
    if shutil.which("docker") and not docker("compose", "version").returncode:
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
    """The containers of this checkout by service, as `docker inspect` shows them; none where Docker is not there, or
    does not run. Raises UserError where it refuses to answer, or hangs: then they may run."""
    if not shutil.which("docker"):
        return {}
    ours = f"label={_LABEL}project.working_dir"
    ids = _answer("ps", "-aq", "--no-trunc", "--filter", ours).split()
    found = json.loads(_answer("inspect", *ids) or "[]") if ids else []
    found.sort(key=lambda container: container["State"]["Running"])  # of two by one name the one that runs
    return {_label(container, "service"): container for container in found if _is_ours(container)}


def _answer(*arguments: str) -> str:
    done = docker(*arguments, seconds=QUERY_SECONDS)
    # what it could not get is of no use to anybody
    why = re.split(r": Get |\n", done.stderr.strip())[0][:200]
    if done.returncode and why.startswith(NO_ANSWER):
        raise UserError(f"Docker does not answer ({why}): start Docker Desktop, or the service docker, anew")
    if done.returncode and re.search("permission denied|access is denied", done.stderr, re.IGNORECASE):
        raise UserError(
            f"Docker does not answer ({why}): join the group docker (sudo usermod -aG docker $USER), log in again"
        )
    return done.stdout


def is_running() -> bool:
    """True if a server of this checkout runs in a container. Raises UserError as `containers` does."""
    return any(container["State"]["Running"] for container in containers().values())


def running_project() -> str | None:
    """The name under which compose knows this checkout's containers; None where there are none."""
    return next((_label(container, "project") for container in containers().values()), None)


def _label(container: dict[str, Any], name: str) -> str:
    return container["Config"]["Labels"].get(f"{_LABEL}{name}", "")


def _is_ours(container: dict[str, Any]) -> bool:
    """Of this checkout, and no `compose run`."""
    same = Path(_label(container, "project.working_dir")).resolve() == FOLDER
    return same and _label(container, "oneoff") != "True"


def health(container: dict[str, Any]) -> str:
    """In words; `ready` is a healthy server, `done` a set-up that has ended well."""
    state = container["State"]
    if state["Paused"]:
        return "frozen"
    if not state["Running"]:
        done = _label(container, "service") == SETUP and state["Status"] == "exited"
        down = "down, it ran out of memory" if state.get("OOMKilled") else "down"
        return "done" if done and state["ExitCode"] == 0 else down
    said = state.get("Health", {}).get("Status", "running")
    return {"healthy": "ready", "unhealthy": "runs, does not answer"}.get(said, said)


def memory(ids: list[str]) -> dict[str, int]:
    """Resident bytes of running containers, by id."""
    if not ids:
        return {}
    shown = docker("stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", *ids).stdout
    sizes = re.findall(r"(?m)^(\w+) ([\d.]+)([KMG]?)i?B", shown)
    unit = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
    return {id_: int(float(number) * unit[prefix]) for id_, number, prefix in sizes}


def published(container: dict[str, Any]) -> set[tuple[str, int]]:
    """Addresses and ports of this machine at which a container is reached."""
    ports = container["NetworkSettings"]["Ports"] or {}
    return {
        (binding["HostIp"] or "0.0.0.0", int(binding["HostPort"]))  # noqa: S104 - what Docker means by none
        for bindings in ports.values()
        for binding in bindings or ()
    }


def total_memory() -> int:
    """Bytes that all containers together can have: of Docker Desktop's VM, or of this machine. Raises UserError."""
    if not shutil.which("docker"):
        raise UserError("Docker is not there: install it, or leave out --docker")
    shown = docker("info", "--format", "{{json .}}", seconds=QUERY_SECONDS)
    try:
        total = int(json.loads(shown.stdout)["MemTotal"])
    except (ValueError, KeyError):
        total = 0
    if shown.returncode or not total:
        why = shown.stderr.strip() or "it says nothing"
        raise UserError(f"Docker does not answer ({why[:200]}): start Docker Desktop, or the service docker")
    return total


def last_line(id_: str) -> str:
    """What a container printed last."""
    return (docker("logs", "--tail", "1", id_).stdout.strip() or "the set-up of Kibana failed")[:300]


def docker(*arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """One call of the docker command, to its end; a failed one where that takes longer than so many seconds."""
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{NO_ANSWER} within {seconds:.0f} s")
