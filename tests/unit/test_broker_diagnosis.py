"""Why a broker refuses a login is heard, though it closes the connection with its answer."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from kafka_cluster.broker_diagnosis import login_fault

SASL_HANDSHAKE, API_VERSIONS = 17, 18
UNSUPPORTED_SASL_MECHANISM = 33
# error code; as a compact array the keys with least and greatest version, each with tags; throttle time; tags
VERSIONS = struct.pack(
    ">hBhhhBhhhBiB", 0, 3, API_VERSIONS, 0, 4, 0, SASL_HANDSHAKE, 0, 1, 0, 0, 0
)  # fmt: skip
REFUSAL = struct.pack(">hih", UNSUPPORTED_SASL_MECHANISM, 1, 13) + b"SCRAM-SHA-512"


@pytest.fixture
def broker() -> Iterator[int]:
    """The port of a broker whose refusal and end of the connection come in one packet."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=refuse_all, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def refuse_all(server: socket.socket) -> None:
    while True:
        try:
            connection = server.accept()[0]
        except OSError:
            return
        with connection, connection.makefile("rb") as requests:
            while size := requests.read(4):
                key, _, correlation = struct.unpack(">hhi", requests.read(int.from_bytes(size, "big"))[:8])
                body = struct.pack(">i", correlation) + (VERSIONS if key == API_VERSIONS else REFUSAL)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, key == SASL_HANDSHAKE)
                connection.sendall(len(body).to_bytes(4, "big") + body)
                if key == SASL_HANDSHAKE:
                    connection.shutdown(socket.SHUT_WR)
                    break


@pytest.mark.skipif(
    not hasattr(socket, "TCP_CORK"), reason="only Linux puts an answer and the end into one packet"
)
def test_a_refusal_that_comes_with_the_end_of_the_connection_is_heard(broker: int) -> None:
    login = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "tweets", "sasl_plain_password": "secret"}
    said = login_fault(
        {"bootstrap_servers": [f"127.0.0.1:{broker}"], "security_protocol": "SASL_PLAINTEXT"} | login
    )
    assert said == "takes no login by PLAIN: set kafka_sasl_mechanism to one that it takes"
