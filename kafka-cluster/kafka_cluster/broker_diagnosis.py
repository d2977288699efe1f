"""Why a Kafka client gets nowhere, found out by asking the addresses: one line with the cause and the cure."""

import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from kafka.errors import KafkaError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from kafka_cluster.tls import NO_TLS, speaks_tls, tls_fault

PROBE_SECONDS = 1.0
LOGIN_TRIES, LOGIN_SECONDS, LOGIN_PAUSE_SECONDS = 3, 20.0, 0.2
STATUS = "python3 kafka-cluster/cluster.py status"


def why_no_broker(servers: Iterable[str], encrypted: bool = False, ca_file: str = "") -> str:
    """What answers in the brokers' place at `host:port`s where no client could be built.

    `encrypted`: that client spoke TLS, and trusted the CAs in `ca_file`, or the public ones.
    """
    causes = [(server, what_answers(server, encrypted, ca_file)) for server in servers]
    telling = [f"{server} {cause}" for server, cause in causes if cause]
    if telling:
        return telling[0]
    return f"is the cluster up ({STATUS}), and are bootstrap_servers and bootstrap_servers_ip right?"


def login_fault(options: Mapping[str, Any]) -> str | None:
    """How a broker refuses the login that is in a client's options; None where none says so within 20 s.

    A client of kafka-python 3.0.12 tries again until its time is over, and does not say why: so connections are made
    that do.
    """
    net = NetworkSelector()
    manager = LastWords(net, **options)

    async def log_in(broker: str) -> None:
        await manager.wait_for(manager.get_connection(broker).init_future, LOGIN_SECONDS * 1000)

    deadline = time.monotonic() + LOGIN_SECONDS
    try:
        for broker in [broker.node_id for broker in manager.cluster.bootstrap_brokers()] * LOGIN_TRIES:
            if time.monotonic() > deadline:
                break
            try:
                net.run(log_in, broker)
                break
            except SaslAuthenticationFailedError:
                return (
                    f"refuses the login of {options['sasl_plain_username']}: "
                    "check kafka_user and kafka_password in .env"
                )
            except UnsupportedSaslMechanismError:
                return f"takes no login by {options['sasl_mechanism']}: set kafka_sasl_mechanism to one that it takes"
            except (KafkaError, OSError, ValueError):  # it is slow, away, or of another kind
                time.sleep(LOGIN_PAUSE_SECONDS)
    finally:
        manager.close()
        net.close()
    return None


class LastWords(KafkaConnectionManager):
    """Hears what a broker says before it closes the connection, as it does after a refusal.

    kafka-python 3.0.12 drops an answer that it reads together with the end, so always where it is slower than the
    broker, on a busy machine.
    """

    async def _build_transport(self, *args: Any, **options: Any) -> Any:
        transport = await super()._build_transport(*args, **options)
        receive = transport._sock_recv

        def answer_then_end() -> tuple[bytes, Exception | None]:
            answer, end = receive()
            return answer, None if answer else end  # the end is met again at the next read

        transport._sock_recv = answer_then_end
        return transport


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


def what_answers(server: str, encrypted: bool = False, ca_file: str = "") -> str | None:
    """What is wrong with the answers at `host:port`, where no broker answers; None where nothing listens."""
    host, port = _split(server)
    if encrypted:
        return _tls_answers(host, port, ca_file)
    try:
        if _answer(host, port, b"", 0.3) == b"":
            return (
                "accepts connections and closes them at once: a broker that is still starting, behind Docker's proxy; "
                f"wait until it is ready ({STATUS})"
            )
        if (_answer(host, port, b"srvr") or b"").startswith(b"Zookeeper"):
            return "is ZooKeeper's port: bootstrap_servers wants the brokers', such as 127.0.0.1:9091"
        if speaks_tls(host, port):
            return (
                "is a TLS listener: set kafka_security_protocol to SSL or SASL_SSL, "
                "or name a PLAINTEXT one in bootstrap_servers"
            )
        if (_answer(host, port, b"GET / HTTP/1.0\r\n\r\n") or b"").startswith(b"HTTP/"):
            return "speaks HTTP, as Elasticsearch and HDFS do: bootstrap_servers wants the brokers' ports"
    except OSError:
        return None
    return f"accepts connections, but does not answer as a broker does: is it one, and is it well ({STATUS})?"


def _tls_answers(host: str, port: int, ca_file: str) -> str | None:
    """None where nothing listens."""
    if unreachable(host, port):
        return None
    fault = tls_fault(host, port, ca_file, "kafka_ca_file")
    if fault == NO_TLS:
        return f"{NO_TLS}: name another listener in bootstrap_servers, or set kafka_security_protocol to PLAINTEXT"
    return fault or (
        "speaks TLS, and then does not go on as a broker does: does it want SASL_SSL or SSL in "
        "kafka_security_protocol, another kafka_sasl_mechanism, or a client's certificate (kafka_certificate_file)?"
    )


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


def unreachable(host: str, port: int, seconds: float = PROBE_SECONDS) -> str | None:
    """Why nothing accepts connections there; None where something does."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _split(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)
