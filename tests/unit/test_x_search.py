"""Recent search and the rules: no answer ends in a traceback, and no wait is longer than X's windows."""

import json
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from ingest import StopReading
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from stream_rules import bring_in_line, compare, rules_client
from x_search import QueryRefused, Search
from x_session import X_URL, bearer_token

DEEP = b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
ODD_ERRORS = [
    (503, {"errors": None}), (503, {"detail": None}), (503, {"detail": [{"loc": "x"}]}),
    (503, {"errors": [{"message": 5}]}), (200, DEEP),
]  # fmt: skip


class Answering(BaseAdapter):
    """An X that says the same to every request."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self._status, self._headers = status, headers or {}
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer._content = self._status, self._body
        answer.request, answer.url, answer.reason = request, request.url or "", "X"
        answer.headers.update(self._headers)
        return answer

    def close(self) -> None:
        pass


class Clock:
    """Wakes up so many times; then somebody asks it to end."""

    def __init__(self, times: int) -> None:
        self.waited: list[float] = []
        self._times = times

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        if len(self.waited) > self._times:
            raise StopReading


def search_once(answer: Answering, clock: Clock) -> None:
    search = Search("token", sleep=clock.sleep, now=lambda: 0.0)
    search._client.session.mount(X_URL, answer)
    with pytest.raises(StopReading):
        while True:
            list(search.pages("kafka", None, None, lambda: 100))


@pytest.mark.parametrize(("status", "body"), ODD_ERRORS)
def test_an_odd_answer_to_a_search_is_asked_for_again(status: int, body: Any) -> None:
    clock = Clock(1)
    search_once(Answering(status, body), clock)
    assert len(clock.waited) == 2 and 0 < clock.waited[1] <= 1


@pytest.mark.parametrize("body", [{"errors": None}, {"detail": None}, [1]])
def test_a_refusal_with_an_odd_body_is_a_refusal(body: Any) -> None:
    with pytest.raises(UserError, match="401"):
        search_once(Answering(401, body), Clock(1))
    clock = Clock(1)
    search_once(Answering(429, body, {"x-rate-limit-reset": "600"}), clock)
    assert clock.waited[1] > 500, "as long as X says"


@pytest.mark.parametrize(("status", "of_the_query"), [(400, True), (401, False), (402, False), (403, False)])
def test_what_x_says_of_the_query_is_told_from_what_it_says_of_keys_and_account(
    status: int, of_the_query: bool
) -> None:
    with pytest.raises(UserError, match=f"HTTP {status}: no") as refused:
        search_once(Answering(status, {"title": "no"}), Clock(1))
    assert isinstance(refused.value, QueryRefused) is of_the_query


@pytest.mark.parametrize("keys", [("열쇠", "secret"), ("key", "caf\udce9")])
def test_keys_that_no_request_can_carry_are_one_clear_line(keys: tuple[str, str]) -> None:
    with pytest.raises(UserError, match=r"api_key and api_secret .*\.env"):
        bearer_token(Settings(api_key=keys[0], api_secret=keys[1]), "http://127.0.0.1:9")


@pytest.mark.parametrize("status", [200, 429])
def test_no_header_makes_a_search_wait_longer_than_a_window(
    caplog: pytest.LogCaptureFixture, status: int
) -> None:
    clock = Clock(1)
    far = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "9999999999"}
    search_once(Answering(status, {"data": []}, far), clock)
    assert clock.waited == [0, 900] and "900" in caplog.text


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *ODD_ERRORS, (200, {"data": [{"id": "1"}]}), (200, {"data": ["x"]}), (200, {"data": 5}), (200, []),
        (200, {"data": [{"id": "1", "value": {}}]}),
    ],
)  # fmt: skip
def test_an_odd_answer_for_the_rules_is_one_clear_line(status: int, body: Any) -> None:
    client = rules_client("token", X_URL)
    client.session.mount(X_URL, Answering(status, body))
    for ask in (compare, bring_in_line):
        with pytest.raises(UserError, match="rules"):
            ask(client, [])
