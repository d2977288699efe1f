"""The simulated X speaks the wire format of X's API v2, over real HTTP, and misbehaves when asked to."""

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests

from asking_x import allow, call, connect, hear, read, rules, search
from kafka_cluster.message import tweet_record
from stream_gap import born_at
from stream_reading import is_tweet
from x_simulator import Options, Simulator

START = "2026-11-24T12:00:00+00:00"


@pytest.fixture(scope="module")
def quiet() -> Iterator[Simulator]:
    """One for requests that leave nothing behind."""
    with Simulator(Options(rate=1_000)) as x:
        yield x


# token


def test_any_pair_of_keys_gets_a_token_unless_told_which(quiet: Simulator) -> None:
    grant = {"grant_type": "client_credentials"}
    with Simulator(Options(keys=("key", "secret"))) as strict:
        for x, pair, status in (
            (quiet, ("a", "b"), 200), (quiet, ("a", ""), 403), (quiet, ("", "b"), 403),
            (strict, ("key", "secret"), 200), (strict, ("key", "other"), 403),
        ):  # fmt: skip
            answer = requests.post(f"{x.url}/oauth2/token", auth=pair, data=grant, timeout=10)
            assert answer.status_code == status, (pair, answer.text)
            assert "errors" in answer.json() if status == 403 else answer.json()["token_type"] == "bearer"
    assert requests.post(f"{quiet.url}/oauth2/token", auth=("a", "b"), timeout=10).status_code == 403, (
        "no grant_type"
    )


@pytest.mark.parametrize("path", ["stream", "stream/rules", "recent?query=kafka"])
def test_nothing_without_the_token(quiet: Simulator, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer other"}):
        answer = call(quiet, f"/2/tweets/search/{path}", headers=headers)
        assert answer.status_code == 401 and answer.json()["title"] == "Unauthorized"


# rules


def test_rules_are_added_refused_and_deleted_inside_a_success() -> None:
    with Simulator() as x:
        tried = rules(x, add=[{"value": "kafka"}], dry_run=True)
        assert tried.status_code == 201 and tried.json()["meta"]["summary"]["created"] == 1
        assert "data" not in call(x, "/2/tweets/search/stream/rules").json(), "it was only tried"

        made = rules(x, add=[{"value": "kafka", "tag": "a"}, {"value": "python"}]).json()
        assert made["meta"]["summary"] == {"created": 2, "not_created": 0, "valid": 2, "invalid": 0}
        again = rules(x, add=[{"value": "kafka", "tag": "b"}])
        assert again.status_code == 200 and "data" not in again.json()
        [error] = again.json()["errors"]
        assert (error["title"], error["id"]) == ("DuplicateRule", made["data"][0]["id"])
        mixed = rules(x, add=[{"value": "x" * 1_025}, {"value": " "}, {"value": "rust"}])
        assert mixed.status_code == 201 and mixed.json()["meta"]["summary"]["not_created"] == 2

        gone = rules(x, delete={"ids": [made["data"][0]["id"], "7"], "values": ["python"]})
        assert gone.status_code == 200 and gone.json()["meta"]["summary"] == {"deleted": 2, "not_deleted": 1}
        new = rules(x, add=[{"value": "kafka"}]).json()["data"][0]["id"]
        assert new not in {rule["id"] for rule in made["data"]}, "ids are never used again"
        assert [rule["value"] for rule in call(x, "/2/tweets/search/stream/rules").json()["data"]] == [
            "rust",
            "kafka",
        ]


def test_more_rules_than_x_takes_are_refused() -> None:
    with Simulator() as x:
        answer = rules(x, add=[{"value": f"word{number}"} for number in range(1_001)]).json()
    assert answer["meta"]["summary"]["created"] == 1_000
    assert [error["title"] for error in answer["errors"]] == ["RulesCapExceeded"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"add": [7]}', b'{"delete": []}'])
def test_a_body_that_is_none_is_refused(quiet: Simulator, body: bytes) -> None:
    answer = call(quiet, "/2/tweets/search/stream/rules", "POST", data=body)
    assert answer.status_code == 400 and answer.json()["title"] == "Invalid Request"


# stream


def test_tweets_come_one_a_line_and_say_by_which_rules() -> None:
    with Simulator(Options(rate=2_000)) as x:
        allow(x, "a", "b")
        lines = hear(x, 500)
    tags = set()
    for line in lines:
        assert line.endswith(b"\r\n") and line.count(b"\n") == 1
        tweet_record(line, "test")
        tags |= {rule["tag"] for rule in orjson.loads(line)["matching_rules"]}
    assert tags == {"a", "b"}


def test_no_stream_without_rules_and_no_second_one(quiet: Simulator) -> None:
    refused = connect(quiet)
    assert (refused.status_code, refused.json()["connection_issue"]) == (409, "RuleConfigurationIssue")
    with Simulator(Options(rate=500)) as x:
        allow(x)
        with connect(x) as first:
            chunks = first.iter_content(chunk_size=None)  # as long as it is held, the connection is open
            assert next(chunks)
            second = connect(x)
            assert (second.status_code, second.json()["connection_issue"]) == (429, "TooManyConnections")
        time.sleep(0.3)
        assert hear(x, 1), "the place is free again"


def test_the_same_seed_rate_and_start_give_the_same_bytes() -> None:
    heard = []
    for seed in (1, 1, 2):
        with Simulator(Options(rate=2_000, start=START, seed=seed)) as x:
            allow(x)
            heard.append(hear(x, 400))
    assert heard[0] == heard[1] != heard[2]
    assert orjson.loads(heard[0][0])["data"]["created_at"].startswith("2026-11-24T12:00:0")


def test_a_quiet_stream_is_kept_alive_by_empty_lines() -> None:
    with Simulator(Options(rate=1_000, limit=10, keep_alive_seconds=0.2)) as x:
        allow(x)
        lines = hear(x, 14)
    assert [line == b"\r\n" for line in lines] == [False] * 10 + [True] * 4


def test_the_pace_is_kept() -> None:
    with Simulator(Options(rate=500)) as x:
        allow(x)
        with connect(x) as response:
            started = time.monotonic()
            heard = len(read(response, 1_000))
            assert 0.75 < heard / (time.monotonic() - started) / 500 < 1.25


# faults


@pytest.mark.parametrize(
    ("kind", "good", "odd", "goes_on"),
    [
        ("close", 20, 0, False),
        ("cut", 20, 1, False),
        ("disconnect", 20, 1, False),
        ("half", 30, 1, True),
        ("huge", 30, 1, True),
        ("utf8", 30, 1, True),
        ("redelivery", 31, 0, True),
    ],
)
def test_a_fault_comes_after_as_many_tweets_as_asked(kind: str, good: int, odd: int, goes_on: bool) -> None:
    with Simulator(Options(rate=1_000, limit=30, redelivered=0, faults=[{"after": 20, "then": kind}])) as x:
        allow(x)
        lines = hear(x, 31)
        assert sum(map(is_tweet, lines)) == good and len(lines) == good + odd
        if odd:
            assert not is_tweet(lines[20])
        assert lines[-1].endswith(b"\r\n") != (kind == "cut")
        if kind == "disconnect":
            assert orjson.loads(lines[-1])["errors"][0]["title"] == "operational-disconnect"
        if kind == "redelivery":
            assert lines[20] == lines[19] and len(set(lines)) == 30
        if not goes_on:
            assert len(hear(x, 10)) == 10, "the next connection gets the rest"


def test_refusals_are_answered_as_often_as_scripted() -> None:
    enrolled = {"title": "Client Forbidden", "reason": "client-not-enrolled"}
    faults: list[dict[str, Any]] = [
        {"status": 429, "headers": {"x-rate-limit-reset": "7"}}, {"status": 401}, {"status": 403, "body": enrolled},
    ]  # fmt: skip
    with Simulator(Options(rate=1_000, faults=faults)) as x:
        allow(x)
        first, second, third = (connect(x) for _ in faults)
        assert (first.status_code, first.headers["x-rate-limit-reset"]) == (429, "7")
        assert second.status_code == 401 and third.status_code == 403 and third.json() == enrolled
        assert hear(x, 1)


def test_a_fault_that_there_is_not_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Options(faults=[{"after": 3, "then": "explode"}])


# search


def test_pages_hold_each_tweet_once_newest_first_while_more_are_born() -> None:
    with Simulator(Options(rate=2_000, redelivered=0.2)) as x:
        allow(x)
        sent = sorted({int(tweet_record(line, "test").key) for line in hear(x, 1_200)})
        since, page, found = (
            sent[len(sent) // 2],
            search(x, max_results=100, since_id=sent[len(sent) // 2]),
            [],
        )
        while True:
            ids = [int(tweet["id"]) for tweet in page["data"]]
            assert page["meta"]["result_count"] == len(ids) <= 100
            assert (page["meta"]["newest_id"], page["meta"]["oldest_id"]) == (str(ids[0]), str(ids[-1]))
            users = {user["id"] for user in page["includes"]["users"]}
            assert len(users) == len(page["includes"]["users"]), "one includes for all"
            assert all(tweet["author_id"] in users for tweet in page["data"])
            found += ids
            if "next_token" not in page["meta"]:
                break
            page = search(x, max_results=100, since_id=since, next_token=page["meta"]["next_token"])
    assert found == sorted(set(found), reverse=True) and min(found) > since
    assert {id_ for id_ in sent if id_ > since} <= set(found)


def test_what_nobody_heard_can_be_searched() -> None:
    with Simulator(Options(rate=200, faults=[{"after": 20, "then": "close"}])) as x:
        allow(x)
        last = int(tweet_record(hear(x, 99)[-1], "test").key)
        time.sleep(0.5)
        first = int(tweet_record(hear(x, 1)[0], "test").key)
        found = [int(tweet["id"]) for tweet in search(x, max_results=100, since_id=last)["data"]]
    missed = [id_ for id_ in found if last < id_ < first]
    assert len(missed) > 50, "half a second at 200 tweets a second"


def test_what_was_born_just_now_is_not_found_yet_if_that_is_asked_for() -> None:
    with Simulator(Options(rate=200, redelivered=0, search_lag_seconds=0.7)) as x:
        assert "data" not in search(x), "the first was born by this request"
        time.sleep(1)
        found, asked = [int(tweet["id"]) for tweet in search(x, max_results=100)["data"]], time.time()
        time.sleep(1)
        later = [int(tweet["id"]) for tweet in search(x, max_results=100, since_id=found[0])["data"]]
    assert len(found) > 20 and min(later) > found[0]
    assert asked - born_at(str(found[0])).timestamp() >= 0.7


@pytest.mark.parametrize(
    "query", ["", "?query=a&max_results=9", "?query=a&max_results=101", "?query=a&next_token=-"]
)
def test_a_search_that_x_would_refuse(quiet: Simulator, query: str) -> None:
    assert call(quiet, f"/2/tweets/search/recent{query}").status_code == 400
