"""Where WebHDFS requests go: to the active NameNode and to our DataNodes, and nowhere else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import hdfs
import pytest
from requests.exceptions import ConnectionError as Broken

from hdfs_client import HdfsClient
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

STANDBY = '{"RemoteException":{"exception":"StandbyException","message":"not supported in state standby"}}'
FILE_STATUS = '{"FileStatus":{"type":"DIRECTORY"}}'


@contextmanager
def namenode(answer: Any) -> Iterator[tuple[str, list[str]]]:
    """A server whose `answer(operation)` is a status and a body, or an address to go on to, or None to hang up."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(self.path.partition("op=")[2].partition("&")[0])
            found = answer(seen[-1])
            if found is None:
                self.close_connection = True
                return
            status, body = (307, "") if isinstance(found, str) else found
            self.send_response(status)
            if isinstance(found, str):
                self.send_header("location", found)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def standby(_: str) -> tuple[int, str]:
    return 403, STANDBY


def active(operation: str) -> tuple[int, str]:
    return 200, FILE_STATUS if operation == "GETFILESTATUS" else '{"boolean":true}'


# several NameNodes


def test_a_change_goes_once_and_only_to_the_active_namenode() -> None:
    with namenode(standby) as (first, asked_first), namenode(active) as (second, asked_second):
        client = HdfsClient(Settings(webhdfs_url=f"{first},{second}"))
        client.make_folder("/a")
        client.move("/a", "/b")
    assert asked_first == ["GETFILESTATUS"]
    assert asked_second == ["GETFILESTATUS", "MKDIRS", "RENAME"]


def test_a_change_whose_answer_was_lost_is_not_sent_again_to_the_other_namenode() -> None:
    """It may be done. Who asked finds out by the protocol; the next request goes to whoever is active then."""
    alive = [True]

    def dies(operation: str) -> tuple[int, str] | None:
        alive[0] = alive[0] and operation != "RENAME"
        return active(operation) if alive[0] else None

    with namenode(dies) as (first, asked_first), namenode(active) as (second, asked_second):
        client = HdfsClient(Settings(webhdfs_url=f"{first},{second}"))
        with pytest.raises(Broken):
            client.move("/a", "/b")
        assert (asked_first, asked_second) == (["GETFILESTATUS", "RENAME"], [])
        client.move("/a", "/c")
        assert asked_second == ["GETFILESTATUS", "RENAME"]


def test_a_namenode_that_has_become_a_standby_is_left() -> None:
    answer = [active]
    with namenode(lambda operation: answer[0](operation)) as (first, _), namenode(active) as (second, asked):
        client = HdfsClient(Settings(webhdfs_url=f"{first},{second}"))
        client.move("/a", "/b")
        answer[0] = standby
        with pytest.raises(hdfs.HdfsError, match="standby"):
            client.move("/a", "/b")
        client.move("/a", "/b")
        assert asked == ["GETFILESTATUS", "RENAME"]


def test_where_no_namenode_is_active_each_is_named_with_what_it_said() -> None:
    with namenode(standby) as (only, _):
        client = HdfsClient(Settings(webhdfs_url=f"{only},http://127.0.0.1:1"))
        with pytest.raises(hdfs.HdfsError, match=rf"{only} .*StandbyException.*, http://127.0.0.1:1 Connect"):
            client.make_folder("/a")


def test_one_namenode_is_asked_nothing_beyond_the_request() -> None:
    with namenode(active) as (only, asked):
        HdfsClient(Settings(webhdfs_url=only)).make_folder("/a")
    assert asked == ["MKDIRS"]


# redirects


@contextmanager
def elsewhere() -> Iterator[tuple[str, socket.socket]]:
    """A listener that is no DataNode of ours."""
    with closing(socket.create_server(("127.0.0.2", 0))) as listener:
        listener.settimeout(0.3)
        yield f"127.0.0.2:{listener.getsockname()[1]}", listener


@pytest.mark.parametrize("act", ["write", "read"])
def test_a_redirect_elsewhere_is_refused_and_nothing_is_sent_there(act: str) -> None:
    with (
        elsewhere() as (address, listener),
        namenode(lambda _: f"http://{address}/webhdfs/v1/a?op=X") as (url, _),
    ):
        client = HdfsClient(Settings(webhdfs_url=url))
        with pytest.raises(
            UserError, match=f"on to http://{address}, where no DataNode .* webhdfs_datanodes"
        ):
            if act == "write":
                client.stage("/staging", "1.jsonl", b"tweets")
            else:
                client.read_end("/a", 1, 1)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("datanodes", "location", "allowed"),
    [
        ((), "http://nn.example:9864/webhdfs/v1/a", True),
        ((), "http://NN.example:9864/webhdfs/v1/a", True),
        ((), "http://dn.example:9864/webhdfs/v1/a", False),
        (("dn.example",), "http://dn.example:9864/webhdfs/v1/a", True),
        (("dn.example",), "http://adn.example:9864/webhdfs/v1/a", False),
        ((".hdfs.example",), "http://dn7.hdfs.example:9864/webhdfs/v1/a", True),
        ((".hdfs.example",), "http://dn7.hdfs.example.evil:9864/webhdfs/v1/a", False),
        ((), "http://nn.example@evil.example/webhdfs/v1/a", False),
        ((), "http://nn.example:9200/tweets/_doc/1", False),
        ((), "http://nn.example:9200/webhdfs/%2E%2E/tweets/_doc/1", False),
        ((), "https://nn.example:9865/webhdfs/v1/a", False),
        ((), "http://169.254.169.254/webhdfs/v1/a", False),
    ],
)
def test_what_counts_as_ours(
    datanodes: tuple[str, ...], location: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hosts of .env, a WebHDFS path, and the same scheme: from https nothing leads to http."""
    sent: list[str] = []

    def send(_: Any, request: Any, **options: Any) -> Any:
        sent.append(request.url)
        raise Broken

    monkeypatch.setattr("requests.Session.send", send)
    settings = Settings(webhdfs_url="http://nn.example:9870", webhdfs_datanodes=datanodes)
    with pytest.raises(Broken if allowed else UserError):
        HdfsClient(settings)._session.get(location)
    assert bool(sent) is allowed


def test_this_machine_is_one_host_by_each_of_its_names() -> None:
    with namenode(active) as (datanode, asked):
        port = datanode.rpartition(":")[2]
        with namenode(lambda _: f"http://localhost:{port}/webhdfs/v1/a?op=GETFILESTATUS") as (url, _):
            assert HdfsClient(Settings(webhdfs_url=url)).status("/a") == {"type": "DIRECTORY"}
    assert asked == ["GETFILESTATUS"]
