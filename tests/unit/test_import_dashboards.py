"""The import, against a server that answers as Kibana does: Kibana itself has no package to run natively."""

import base64
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from certificates import CA, ca_file
from kafka_cluster.script import ROOT

SCRIPT = ROOT / "kibana-dashboards" / "import_dashboards.py"
PASSWORD = "s3cret"
NOT_READY, READY = ({"status": {"overall": {"level": level}}} for level in ("unavailable", "available"))


class Handler(BaseHTTPRequestHandler):
    """Kibana's status and import calls, as its documentation and 8.x answer them."""

    def do_GET(self) -> None:
        self.answer(
            *(self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0])
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["kbn-xsrf"] is None:
            self.answer(
                400,
                {
                    "statusCode": 400,
                    "error": "Bad Request",
                    "message": "Request must contain a kbn-xsrf header.",
                },
            )
            return
        part = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0].decode()
        assert b'name="file"; filename="dashboards.ndjson"' in body and self.path.endswith("?overwrite=true")
        self.server.imports.append([json.loads(line) for line in part.splitlines()])
        if self.server.hangs_up:
            self.close_connection = True
            return
        self.answer(*(self.server.refusal or (200, self.success())))

    def success(self) -> dict[str, Any]:
        objects, again = self.server.imports[-1], len(self.server.imports) > 1
        results = [
            {"type": each["type"], "id": each["id"], "meta": {"title": each["attributes"]["title"]}}
            | ({"overwrite": True} if again else {})
            for each in objects
        ]
        return {"successCount": len(results), "success": True, "warnings": [], "successResults": results}

    def answer(self, status: int, body: dict[str, Any]) -> None:
        if self.headers["authorization"] != self.server.login:
            status, body = 401, {"statusCode": 401, "error": "Unauthorized", "message": "Unauthorized"}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class Stage(ThreadingHTTPServer):
    """What the server answers, and what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[tuple[int, dict[str, Any]]] = [(200, READY)]
        self.imports: list[list[dict[str, Any]]] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.hangs_up = False
        self.login = "Basic " + base64.b64encode(f"elastic:{PASSWORD}".encode()).decode()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def speak_tls(self) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CA.issue_cert("127.0.0.1").configure_cert(tls)
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def handle_error(self, *_: Any) -> None:
        """A client that does not trust us is no error."""


@pytest.fixture
def kibana() -> Iterator[Stage]:
    with Stage() as stage:
        threading.Thread(target=stage.serve_forever, daemon=True).start()
        yield stage
        stage.shutdown()


def run(url: str, *args: str, password: str = PASSWORD, **env: str) -> subprocess.CompletedProcess[str]:
    variables = {"kibana_url": url, "elasticsearch_user": "elastic", "elasticsearch_password": password} | env
    return subprocess.run(
        [sys.executable, str(SCRIPT), *args], env=os.environ | variables, capture_output=True, text=True, check=False
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an import that failed."""
    assert done.returncode == 2 and PASSWORD not in done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_it_waits_for_kibana_and_reports_each_object(kibana: Stage) -> None:
    kibana.statuses = [(503, {"message": "License is not available."}), (503, NOT_READY), (200, READY)]
    done = run(kibana.url)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "made dashboard Tweets live" in lines and "made index-pattern tweets" in lines
    assert len([line for line in lines if line.startswith("made ")]) == len(kibana.imports[0])
    assert f"Pipeline health: {kibana.url}/app/dashboards#/view/pipeline-health" in lines


def test_it_may_be_repeated(kibana: Stage) -> None:
    run(kibana.url)
    again = run(kibana.url)
    assert again.returncode == 0 and "replaced dashboard Tweets live" in again.stdout
    assert kibana.imports[0] == kibana.imports[1]


def test_names_and_time_zone_of_the_settings_are_put_in(kibana: Stage) -> None:
    names = {"time_zone": "Asia/Seoul", "elasticsearch_alias": "posts", "events_index": "health"}
    assert run(kibana.url, **names).returncode == 0
    views = [each["attributes"]["title"] for each in kibana.imports[0] if each["type"] == "index-pattern"]
    assert views == ["posts", "health-*"]
    assert "hours in Asia/Seoul" in json.dumps(kibana.imports[0])


def test_a_wrong_password_is_one_clear_line_at_once(kibana: Stage) -> None:
    kibana.statuses = [(503, NOT_READY)]
    assert "check elasticsearch_user, elasticsearch_password" in refused(run(kibana.url, password="wrong"))
    assert "elasticsearch_password is not set" in refused(run(kibana.url, password=""))


def test_an_api_key_and_a_ca_of_ones_own(kibana: Stage, tmp_path: Path) -> None:
    kibana.speak_tls()
    kibana.login = "ApiKey c2VjcmV0"
    env = {"elasticsearch_url": "https://es.example", "elasticsearch_ca_file": str(ca_file(tmp_path))}
    done = run(kibana.url, elasticsearch_api_key="c2VjcmV0", **env)
    assert done.returncode == 0, done.stderr
    assert "check elasticsearch_api_key in .env" in refused(
        run(kibana.url, elasticsearch_api_key="wrong", **env)
    )
    plain = kibana.url.replace("https:", "http:")
    assert "would go to" in refused(run(plain, elasticsearch_api_key="c2VjcmV0", **env))
    assert "speaks TLS: write https:// in kibana_url" in refused(run(plain))
    env["elasticsearch_ca_file"] = ""
    assert "CA that signed it into elasticsearch_ca_file" in refused(
        run(kibana.url, elasticsearch_api_key="x", **env)
    )


def test_no_kibana_is_one_clear_line() -> None:
    with Stage() as stage:
        url = stage.url
    line = refused(run(url, "--wait", "0.2"))
    assert f"Kibana does not get ready at {url} (ConnectionError)" in line and "kibana_url" in line


@pytest.mark.parametrize(
    "body",
    [{"cluster_name": "elasticsearch"}, {"status": 404}, {"status": None}, {"status": {"overall": "green"}}],
)
def test_something_else_at_the_address_is_no_kibana(kibana: Stage, body: dict[str, Any]) -> None:
    kibana.statuses = [(200, body)]
    assert "HTTP 200, no status" in refused(run(kibana.url, "--wait", "0.2"))


def test_no_answer_to_the_dashboards_is_one_clear_line(kibana: Stage) -> None:
    kibana.hangs_up = True
    line = refused(run(kibana.url))
    assert f"Kibana at {kibana.url} was ready, but gave no answer" in line and "again" in line


MISSING = {"type": "missing_references", "references": [{"type": "index-pattern", "id": "gone"}]}
ONE_REFUSED = {
    "success": False, "successCount": 5, "warnings": [],
    "errors": [{"type": "dashboard", "id": "x", "meta": {"title": "Tweets live"}, "error": MISSING}],
}  # fmt: skip
TOO_NEW = {
    "statusCode": 422, "error": "Unprocessable Entity",
    "message": "Document \"x\" belongs to a more recent version of Kibana [10.9.0] when the last known is [10.3.0].",
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, ONE_REFUSED), "dashboard Tweets live: missing_references (index-pattern gone)"),
        ((422, TOO_NEW), "belongs to a more recent version of Kibana"),
        ((200, {"success": False, "successCount": 0}), "refuses the dashboards: HTTP 200"),
        ((200, {"success": False, "errors": None}), "refuses the dashboards: HTTP 200"),
        (
            (200, {"errors": [{"id": "x", "meta": None, "error": {"references": [5]}}, 5]}),
            "None x: no reason",
        ),
    ],
    ids=["one object", "too new", "no reason", "null", "other types"],
)
def test_what_kibana_refuses_is_said_in_its_own_words(
    kibana: Stage, answer: tuple[int, dict], said: str
) -> None:
    kibana.refusal = answer
    assert said in refused(run(kibana.url))
