"""Why a Kafka client gets nowhere, found out by asking the addresses: one line with the cause and the cure."""

import socket
import ssl
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

PROBE_SECONDS = 1.0
STATUS = "python3 kafka-cluster/cluster.py status"


def why_no_broker(servers: Iterable[str]) -> str:
    """What answers in the brokers' place at `host:port`s where no client could be built."""
    causes = [(server, what_answers(server)) for server in servers]
    telling = [f"{server} {cause}" for server, cause in causes if cause]
    if telling:
        return telling[0]
    return f"is the cluster up ({STATUS}), and are bootstrap_servers and bootstrap_servers_ip right?"


def advertised_fault(brokers: Iterable[tuple[int, str, int]]) -> str | None:
    """What is wrong with the addresses (id, host, port) that the brokers give to clients; None if one can be reached.

    A broker that has just died is listed for some seconds yet: only where none is reached, the addresses are wrong.
    """
    brokers = sorted(brokers)
    shared = [
        address for address, count in Counter((host, port) for _, host, port in brokers).items() if count > 1
    ]
    if shared:
        host, port = shared[0]
        ids = ", ".join(str(id_) for id_, *address in brokers if tuple(address) == (host, port))
        return (
            f"brokers {ids} all advertise {host}:{port}: on one address each needs a port of its own "
            "(docker-compose.yml gives them 9091, 9092, 9093)"
        )
    reasons = [unreachable(host, port) for _, host, port in brokers]
    if not brokers or None in reasons:
        return None
    addresses = ", ".join(f"{host}:{port}" for _, host, port in brokers)
    return (
        f"a broker answers, but sends clients on to {addresses}, which can't be reached from here ({reasons[0]}): "
        "set bootstrap_servers_ip in .env to an address of the brokers' machine that this one reaches, "
        "and start the cluster again"
    )


def what_answers(server: str) -> str | None:
    """What is wrong with the answers at `host:port`, where no broker answers; None where nothing listens."""
    host, port = _split(server)
    try:
        if _answer(host, port, b"", 0.3) == b"":
            return (
                "accepts connections and closes them at once: a broker that is still starting, behind Docker's proxy; "
                f"wait until it is ready ({STATUS})"
            )
        if (_answer(host, port, b"srvr") or b"").startswith(b"Zookeeper"):
            return "is ZooKeeper's port: bootstrap_servers wants the brokers', such as 127.0.0.1:9091"
        if (_answer(host, port, _client_hello()) or b"")[:2] in (b"\x16\x03", b"\x15\x03"):
            return "is a TLS listener, and the scripts don't speak TLS: name a PLAINTEXT one in bootstrap_servers"
        if (_answer(host, port, b"GET / HTTP/1.0\r\n\r\n") or b"").startswith(b"HTTP/"):
            return "speaks HTTP, as Elasticsearch and HDFS do: bootstrap_servers wants the brokers' ports"
    except OSError:
        return None
    return f"accepts connections, but does not answer as a broker does: is it one, and is it well ({STATUS})?"


def _answer(host: str, port: int, question: bytes, seconds: float = PROBE_SECONDS) -> bytes | None:
    """The first bytes of the answer; empty where the other side closes, None where it says nothing."""
    with socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(question)
            return connection.recv(64)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""


def _client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="broker")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def unreachable(host: str, port: int) -> str | None:
    """Why nothing accepts connections there; None where something does."""
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _split(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)
