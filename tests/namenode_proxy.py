"""A proxy in front of the NameNode, for faults that no signal can make: requests or answers lost, late, or doubled."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

Hook = Callable[[str, str], str]
"""(operation, path) -> pass | lose request | lose answer | twice"""


class NameNodeProxy:
    """Forwards WebHDFS requests; `hook` decides what happens to each. Bodies go to DataNodes directly."""

    def __init__(self, namenode_url: str) -> None:
        self.namenode_url = namenode_url
        self.hook: Hook = lambda *_: "pass"
        self.location: Callable[[str], str] = str
        """Changes the address of the DataNode that a client is sent on to."""
        self.seen: list[tuple[str, str]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                parts = urlsplit(self.path)
                operation = parse_qs(parts.query).get("op", [""])[0].upper()
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                proxy.seen.append((operation, parts.path))
                fate = proxy.hook(operation, parts.path)
                if fate == "lose request":
                    self.close_connection = True
                    return
                try:
                    for _ in range(2 if fate == "twice" else 1):
                        answer = requests.request(
                            self.command,
                            proxy.namenode_url + self.path,
                            data=body,
                            allow_redirects=False,
                            timeout=30,
                        )
                except requests.RequestException:  # the NameNode is away
                    fate = "lose answer"
                if fate == "lose answer":
                    self.close_connection = True
                    return
                self.send_response(answer.status_code)
                if "content-type" in answer.headers:
                    self.send_header("content-type", answer.headers["content-type"])
                if "location" in answer.headers:
                    self.send_header("location", proxy.location(answer.headers["location"]))
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_PUT = do_POST = do_DELETE = _forward

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that was killed, or waits no more, is no error."""


def times(operation: str, fate: str, count: int, every: int = 1) -> Hook:
    """A hook: the fate for the first `count` requests of an operation, or for each so-manieth of them."""
    lock, state = threading.Lock(), {"seen": 0, "done": 0}

    def hook(seen: str, path: str) -> str:
        with lock:
            if seen != operation or state["done"] >= count:
                return "pass"
            state["seen"] += 1
            if state["seen"] % every:
                return "pass"
            state["done"] += 1
            return fate

    return hook


def pause(operation: str, seconds: float, then: str = "pass") -> Hook:
    """A hook: the first request of an operation is held for some seconds."""
    left = [1]

    def hook(seen: str, path: str) -> str:
        if seen == operation and left[0]:
            left[0] = 0
            time.sleep(seconds)
            return then
        return "pass"

    return hook
