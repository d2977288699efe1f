"""How tests ask a simulated X, as a client of their own would, over HTTP."""

import time

import requests

from x_simulator import Simulator

BEARER = {"authorization": "Bearer simulated"}


def call(x: Simulator, path: str, method: str = "GET", **options: object) -> requests.Response:
    headers = options.pop("headers", BEARER)
    return requests.request(method, f"{x.url}{path}", headers=headers, timeout=10, **options)  # type: ignore[arg-type]


def rules(x: Simulator, **body: object) -> requests.Response:
    dry_run = "?dry_run=true" if body.pop("dry_run", False) else ""
    return call(x, f"/2/tweets/search/stream/rules{dry_run}", "POST", json=body)


def allow(x: Simulator, *tags: str) -> None:
    assert rules(x, add=[{"value": tag, "tag": tag} for tag in tags or ["everything"]]).status_code == 201


def connect(x: Simulator) -> requests.Response:
    return call(x, "/2/tweets/search/stream", stream=True)


def read(response: requests.Response, lines: int, seconds: float = 10) -> list[bytes]:
    """The next lines with their ends, until there are so many, or the stream ends (then with what was cut)."""
    got, deadline = b"", time.monotonic() + seconds
    try:
        for chunk in response.iter_content(chunk_size=None):
            got += chunk
            if got.count(b"\n") >= lines or time.monotonic() > deadline:
                break
    except requests.RequestException:
        pass  # a cut
    return got.splitlines(keepends=True)


def hear(x: Simulator, lines: int) -> list[bytes]:
    with connect(x) as response:
        assert response.status_code == 200
        return read(response, lines)[:lines]


def search(x: Simulator, **query: object) -> dict:
    response = call(x, "/2/tweets/search/recent", params={"query": "kafka"} | query)
    assert response.status_code == 200, response.text
    return response.json()
