"""How a setting's value is read from text. Each raises ValueError for what it does not take."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from kafka_cluster.script import ROOT
from kafka_cluster.tls import tls_context

DEAD_LETTER_SUFFIX = ".dead-letter"


def text(value: str) -> str:
    """Anything."""
    return value


def whole_number(value: str) -> int:
    """From 1 on."""
    number = int(value)
    if number < 1:
        raise ValueError
    return number


def not_negative(value: str) -> int:
    """A whole number from 0 on."""
    number = int(value)
    if number < 0:
        raise ValueError
    return number


def seconds(value: str) -> float:
    """Above 0, below a day."""
    number = float(value)
    if not 0 < number < 86_400:
        raise ValueError
    return number


def price(value: str) -> float:
    """Dollars, below 1,000."""
    number = float(value)
    if not 0 <= number < 1_000:
        raise ValueError
    return number


def session(value: str) -> float:
    """A consumer's session time-out in seconds."""
    number = float(value)
    if not 6 <= number <= 300:  # what brokers allow, by group.min.session.timeout.ms and ...max...
        raise ValueError
    return number


def host(value: str) -> str:
    """A host name or an IP address."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]+", value):
        raise ValueError
    value.encode("idna")  # raises where a part between dots is empty or too long, as every connection would
    return value


def servers(value: str) -> tuple[str, ...]:
    """`host:port`, one or more, separated by commas; an IPv6 address stands in brackets."""
    found = tuple(server.strip() for server in value.split(",") if server.strip())
    for server in found:
        name, _, port = server.rpartition(":")
        bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
        if not (0 < int(port) < 65536 and host(bare)) or (":" in bare) != (bare != name):
            raise ValueError
    if not found:
        raise ValueError
    return found


def topic(value: str) -> str:
    """A name of a topic, or of a group, which is held to the same."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,237}", value) or value.startswith(("__", ".")):
        raise ValueError
    if value.endswith(DEAD_LETTER_SUFFIX):
        raise ValueError
    return value


def index(value: str) -> str:
    """A name of Elasticsearch's."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,200}", value):
        raise ValueError
    return value


def url(value: str) -> str:
    """`http` or `https`, without a login; it comes back without a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError
    parts.hostname.encode("idna")  # raises as for a host
    _ = parts.port  # raises where it is no number
    return value.rstrip("/")


def urls(value: str) -> str:
    """One URL, or several of one scheme; they come back separated by commas."""
    found = [url(each.strip()) for each in re.split("[,;]", value)]
    if len({urlsplit(each).scheme for each in found}) > 1:
        raise ValueError
    return ",".join(found)


def hosts(value: str) -> tuple[str, ...]:
    """Host names, addresses, or domains such as .hdfs.example, separated by commas; none is fine."""
    found = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in found:
        host(name.removeprefix("."))
    return found


def file(value: str) -> str:
    """The path of a file that can be read, from the project's folder; it comes back whole."""
    found = ROOT / Path(value).expanduser()
    if not os.access(found, os.R_OK) or not found.is_file():
        raise ValueError
    return str(found)


def ca_file(value: str) -> str:
    """The same for a file of CAs (PEM)."""
    found = file(value)
    try:
        tls_context(found)
    except OSError:
        raise ValueError from None
    return found


def path(value: str) -> str:
    """An absolute path in HDFS."""
    if not re.fullmatch(r"(/[A-Za-z0-9._=-]+)+", value) or "/.." in value:
        raise ValueError
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """Only these."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError
        return value

    return read


def base_port(value: str) -> int:
    """A port from which two more are counted, or 0."""
    number = int(value)
    if not 0 <= number <= 65_533:  # two more are counted from it
        raise ValueError
    return number


def time_zone(value: str) -> str:
    """A name of the time zone database."""
    try:
        ZoneInfo(value)
    except (KeyError, OSError):  # no such zone; a folder of zones, such as Asia
        raise ValueError from None
    return value
