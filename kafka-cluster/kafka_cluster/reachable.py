"""Whether a server answers at its URL, before a client is built that would only wait."""

import socket
from urllib.parse import urlsplit

from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.tls import NO_TLS, PROBE_SECONDS, speaks_tls, tls_fault


def require_elasticsearch(settings: Settings) -> None:
    """Raise UserError unless Elasticsearch can be talked to."""
    _require("Elasticsearch", settings.elasticsearch_url, "elasticsearch", settings.elasticsearch_ca_file)


def require_hdfs(settings: Settings) -> None:
    """Raise UserError unless a NameNode can be talked to."""
    _require("HDFS (its NameNode)", settings.webhdfs_url, "webhdfs", settings.webhdfs_ca_file)


def _require(what: str, urls: str, prefix: str, ca_file: str) -> None:
    """Of several URLs, separated by commas, one is enough. A server that accepts and says nothing may be about to."""
    setting, ca_setting = f"{prefix}_url", f"{prefix}_ca_file"
    faults = []
    for url in urls.split(","):
        try:
            fault = tls_trouble(url, setting, ca_file, ca_setting)
        except OSError as error:
            faults.append(str(no_answer(url, what, setting, error.strerror or str(error))))
        else:
            if fault is None:
                return
            faults.append(f"{what} at {url} {fault}")
    raise UserError("; ".join(faults))


def no_answer(url: str, what: str, setting: str, reason: str) -> UserError:
    """The error for a server that does not answer."""
    return UserError(
        f"{what} does not answer at {url} ({reason}): is the cluster up "
        f"(python3 kafka-cluster/cluster.py status), and is {setting} right?"
    )


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def tls_trouble(url: str, setting: str, ca_file: str, ca_setting: str) -> str | None:
    """What is wrong with TLS, or the lack of it, at an http or https URL, in words; None where nothing is.

    `setting`, `ca_setting`: the names of those that hold the URL and `ca_file`, for the cure.
    Raises OSError where nothing accepts connections.
    """
    scheme, (host, port) = urlsplit(url).scheme, address_of(url)
    with socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection:
        if scheme == "http" and _hangs_up_on_http(connection) and speaks_tls(host, port):
            return f"speaks TLS: write https:// in {setting}"
    if scheme == "http":
        return None
    fault = tls_fault(host, port, ca_file, ca_setting)
    return f"{fault}: write http:// in {setting}, or find its TLS port" if fault == NO_TLS else fault


def _hangs_up_on_http(connection: socket.socket) -> bool:
    # asked first, since a server that speaks HTTP would note a ClientHello as an error
    try:
        connection.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        return connection.recv(1) != b"H"
    except TimeoutError:
        return False
    except ConnectionError:
        return True
