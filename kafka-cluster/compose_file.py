"""docker-compose.yml -> services. Pure, but for reading the file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kafka_cluster.script import UserError

COMPOSE_FILE = Path(__file__).with_name("docker-compose.yml")
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """One server, as the compose file describes it."""

    name: str
    image: str
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    """Published ports; inside and outside they are the same."""
    volumes: Mapping[str, str]
    """Path in the container -> name of the volume."""


def load_services(variables: Mapping[str, str], path: Path = COMPOSE_FILE) -> dict[str, Service]:
    """Read the compose file. Raises UserError where it asks for a variable that is not set."""
    services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    return {name: _service(name, body, variables) for name, body in services.items()}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Fill in `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as compose does; `$$` is a dollar."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        found = variables.get(match["name"], "")
        if found or match["kind"] is None:
            return found
        if match["kind"] == ":?":
            raise UserError(match["rest"])
        return match["rest"]

    return _VARIABLE.sub(value, text)


def _service(name: str, body: dict[str, Any], variables: Mapping[str, str]) -> Service:
    environment = {
        key: interpolate(str(value), variables) for key, value in (body.get("environment") or {}).items()
    }
    ports = tuple(int(interpolate(port, variables).rsplit(":", 1)[1]) for port in body.get("ports", ()))
    volumes = {path: volume for volume, path, *_ in (entry.split(":") for entry in body.get("volumes", ()))}
    return Service(name, body["image"], environment, ports, volumes)
