"""TLS on one side only, or a certificate that is not trusted: said at once, with the setting that cures it."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from certificates import CA, ca_file
from kafka_cluster.broker_diagnosis import why_no_broker
from kafka_cluster.reachable import require_elasticsearch, require_hdfs
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@contextmanager
def server(certificate: trustme.LeafCert | None) -> Iterator[str]:
    """host:port of one that speaks HTTP, by TLS if it has a certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        certificate.configure_cert(tls)
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with (
            suppress(OSError),
            connection,
            tls.wrap_socket(connection, server_side=True) if certificate else connection as talk,
        ):
            talk.recv(1024)
            talk.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def tls_server() -> Iterator[str]:
    with server(CA.issue_cert("127.0.0.1")) as address:
        yield address


def complaint(url: str, ca: str = "") -> str:
    with pytest.raises(UserError) as error:
        require_elasticsearch(Settings(elasticsearch_url=url, elasticsearch_ca_file=ca))
    return str(error.value)


def test_a_trusted_certificate_is_fine(tls_server: str, tmp_path: Path) -> None:
    require_elasticsearch(
        Settings(elasticsearch_url=f"https://{tls_server}", elasticsearch_ca_file=str(ca_file(tmp_path)))
    )


def test_a_ca_that_is_not_known(tls_server: str, tmp_path: Path) -> None:
    for ca in ("", str(ca_file(tmp_path, trustme.CA()))):
        said = complaint(f"https://{tls_server}", ca)
        assert f"Elasticsearch at https://{tls_server} shows a certificate that is not trusted (" in said
        assert said.endswith("put the file of the CA that signed it into elasticsearch_ca_file")


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    with server(CA.issue_cert("es.example")) as address:
        said = complaint(f"https://{address}", str(ca_file(tmp_path)))
    assert "not valid for '127.0.0.1'" in said and said.endswith(
        "write the server's name as its certificate has it"
    )


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    with server(CA.issue_cert("127.0.0.1", not_after=YESTERDAY)) as address:
        said = complaint(f"https://{address}", str(ca_file(tmp_path)))
    assert "expired" in said and said.endswith("the server needs a new one")


def test_http_to_a_tls_port_and_https_to_a_plain_one(tls_server: str) -> None:
    assert complaint(f"http://{tls_server}").endswith("speaks TLS: write https:// in elasticsearch_url")
    with server(None) as plain:
        said = complaint(f"https://{plain}")
        assert said.endswith("does not speak TLS: write http:// in elasticsearch_url, or find its TLS port")
        require_elasticsearch(Settings(elasticsearch_url=f"http://{plain}"))


def test_one_namenode_of_several_is_enough_and_else_each_is_named(tls_server: str) -> None:
    with server(None) as plain:
        require_hdfs(Settings(webhdfs_url=f"http://127.0.0.1:1,http://{plain}"))
    with pytest.raises(UserError) as error:
        require_hdfs(Settings(webhdfs_url=f"https://127.0.0.1:1,https://{tls_server}"))
    assert "HDFS (its NameNode) does not answer at https://127.0.0.1:1 (Connection refused)" in str(
        error.value
    )
    assert str(error.value).endswith("put the file of the CA that signed it into webhdfs_ca_file")


def test_brokers(tls_server: str, tmp_path: Path) -> None:
    ca = str(ca_file(tmp_path))
    assert "is a TLS listener: set kafka_security_protocol to SSL or SASL_SSL" in why_no_broker([tls_server])
    assert why_no_broker([tls_server], True).endswith(
        "put the file of the CA that signed it into kafka_ca_file"
    )
    assert "does it want SASL_SSL or SSL in kafka_security_protocol" in why_no_broker([tls_server], True, ca)
    with server(None) as plain:
        assert "does not speak TLS: name another listener" in why_no_broker([plain], True, ca)
    assert why_no_broker(["127.0.0.1:1"], True, ca).startswith("is the cluster up")
