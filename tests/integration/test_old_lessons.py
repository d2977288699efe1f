"""The errors that cost the first version of this project its evenings: each now says the cause and the cure.

UnrecognizedBrokerVersion; "Failed to update metadata after 60.0 secs."; localhost with several brokers.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from broker_proxy import BrokerProxy, Change
from kafka_cluster.topics import admin_client
from pipeline import Pipeline, refused
from sample import tweet_lines

pytestmark = pytest.mark.long


def all_scripts_refuse(pipeline: Pipeline, servers: str, *said: str) -> None:
    (pipeline.folder / "t.jsonl").write_bytes(tweet_lines(1)[0])
    scripts = (["producer.py", "replay", "t.jsonl"], ["consumer.py", "--group", "hdfs"], ["audit.py"])
    with ThreadPoolExecutor(len(scripts)) as runners:
        ended = runners.map(lambda script: pipeline.run(*script, bootstrap_servers=servers), scripts)
    for done in ended:
        refused(done, servers, *said)
        assert len([line for line in done.stderr.splitlines() if ".py: " in line]) == 1, done.stderr


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """An address where each connection is handed to `serve`, then closed."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
                with connection:
                    serve(connection)
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


# UnrecognizedBrokerVersion: something else than a broker answers


def test_zookeepers_port(pipeline: Pipeline) -> None:
    port = int(pipeline.settings.bootstrap_servers[0].rpartition(":")[2]) - 9091 + 2181
    all_scripts_refuse(
        pipeline, f"127.0.0.1:{port}", "is ZooKeeper's port: bootstrap_servers wants the brokers'"
    )


def test_a_port_that_speaks_http(pipeline: Pipeline) -> None:
    all_scripts_refuse(pipeline, pipeline.settings.elasticsearch_url.removeprefix("http://"), "speaks HTTP")


def test_a_broker_that_is_still_starting_behind_dockers_proxy(pipeline: Pipeline) -> None:
    """The proxy listens before the broker does: it accepts, finds nobody, and closes."""
    with listener(lambda _: None) as address:
        all_scripts_refuse(pipeline, address, "still starting, behind Docker's proxy; wait")


def test_a_tls_listener(pipeline: Pipeline) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with listener(lambda connection: tls.wrap_socket(connection, server_side=True).close()) as address:
        all_scripts_refuse(pipeline, address, "is a TLS listener", "PLAINTEXT")


# "Failed to update metadata": the advertised address can't be reached, or the topic is missing


@contextmanager
def proxied(pipeline: Pipeline, change: Change) -> Iterator[str]:
    proxy = BrokerProxy(pipeline.settings.bootstrap_servers[0], change)
    try:
        yield proxy.address
    finally:
        proxy.close()


@pytest.mark.parametrize("advertised", ["127.9.9.9", "kafka1.zz"])
def test_brokers_that_advertise_an_address_which_can_not_be_reached(
    pipeline: Pipeline, advertised: str
) -> None:
    with proxied(pipeline, lambda data: data.replace(b"127.0.0.1", advertised.encode())) as address:
        all_scripts_refuse(
            pipeline, address, f"sends clients on to {advertised}", "set bootstrap_servers_ip in .env"
        )


def test_a_topic_that_was_never_made(pipeline: Pipeline) -> None:
    refused(pipeline.run("audit.py"), f"there is no topic {pipeline.settings.topic}: the producer makes it")


def test_a_topic_that_is_deleted_while_a_producer_writes(pipeline: Pipeline) -> None:
    (pipeline.folder / "t.jsonl").write_bytes(b"\n".join(tweet_lines(2_000)))
    producer = pipeline.start("producer.py", "replay", "t.jsonl", "--rate", "20")
    deadline = time.monotonic() + 30
    while not pipeline.topic_has(20):
        assert time.monotonic() < deadline, producer.log.read_text()  # type: ignore[attr-defined]
    with admin_client(pipeline.settings) as admin:
        admin.delete_topics([pipeline.settings.topic])
    assert producer.wait(timeout=90) == 2
    said = producer.log.read_text()  # type: ignore[attr-defined]
    assert f"there is no topic {pipeline.settings.topic}: the producer makes it" in said


# localhost with several brokers


def test_brokers_that_share_one_address(pipeline: Pipeline) -> None:
    """What went wrong with one published port for all: each request may go to the wrong broker."""
    ports = [
        int(server.rpartition(":")[2]).to_bytes(4, "big") for server in pipeline.settings.bootstrap_servers
    ]

    def one_port(data: bytes) -> bytes:
        for port in ports[1:]:
            data = data.replace(b"127.0.0.1" + port, b"127.0.0.1" + ports[0])
        return data

    with proxied(pipeline, one_port) as address:
        all_scripts_refuse(pipeline, address, "brokers 1, 2, 3 all advertise 127.0.0.1:", "a port of its own")


def test_three_brokers_on_127_0_0_1_are_reached_each_at_a_port_of_its_own(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(60))
    assert {server.rpartition(":")[0] for server in pipeline.settings.bootstrap_servers} == {"127.0.0.1"}
    assert len({record.partition for record in pipeline.topic_records()}) > 1
    assert pipeline.catch_up().exit_code == 0
