"""The real tweepy against a server that speaks X's wire format, and misbehaves as X does."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tweepy

from kafka_cluster.message import tweet_record
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings
from reconnect_pace import CONNECT_WINDOW_SECONDS, CONNECTS
from state_file import StateFile
from stream_reading import KEYS, RULES, is_tweet, reader_of, rules_client, take, take_until_it_ends
from stream_rules import Rule, bring_in_line, read_rules
from x_commands import check, rules_apply, rules_check, rules_list
from x_session import bearer_token, direct
from x_simulator import Options, Simulator
from x_stream import StreamReader


def test_tweets_come_through_as_they_were_sent(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=500)) as x:
        readers.append(reader_of(x))
        lines = take(readers[0], 300)
    assert len(lines) == 300 and all(map(is_tweet, lines))


def test_a_silent_stream_is_left(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=200, limit=20, keep_alive_seconds=60)) as x:
        readers.append(reader_of(x, quiet_seconds=1.0))
        assert len(take(readers[0], 20)) == 20
        time.sleep(2.5)
        assert readers[0].connects >= 2 and "silent" in readers[0].gaps[0].reason


def test_keep_alives_hold_a_quiet_stream(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=200, limit=20, keep_alive_seconds=0.3)) as x:
        readers.append(reader_of(x, quiet_seconds=1.0))
        assert len(take(readers[0], 20)) == 20
        time.sleep(2.5)
        assert readers[0].connects == 1


def test_a_stop_ends_it_within_two_seconds_in_any_state(readers: list[StreamReader]) -> None:
    for options in (
        Options(rate=50),
        Options(limit=0, keep_alive_seconds=60),
        Options(faults=[{"status": 503}] * 9),
        Options(faults=[{"status": 429}] * 9),
        Options(rate=50, faults=[{"after": 5, "then": "stall"}]),
        Options(rate=50, faults=[{"after": 5, "then": "disconnect"}] * 9),
    ):
        with Simulator(options) as x:
            reader = reader_of(x, first_pause=10)
            time.sleep(1)
            started = time.monotonic()
            reader.stop()
            assert time.monotonic() - started < 2 and not reader.alive


@pytest.mark.parametrize("backlog_is_full", [False, True])
def test_a_stop_does_not_wait_for_a_host_that_does_not_answer(backlog_is_full: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as others:
        for _ in range(3 * backlog_is_full):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        reader = StreamReader("t", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        reader.start()
        time.sleep(0.5)
        started = time.monotonic()
        reader.stop()
        assert time.monotonic() - started < 1 and reader.connects == 1


def test_back_offs_grow_to_minutes_and_a_new_stream_begins_them_anew() -> None:
    clock = PretendedTime()
    faults: list[dict[str, Any]] = [{"status": 503}] * 11 + [{"after": 1, "then": "close"}, {"status": 403}]
    with Simulator(Options(rate=100, faults=faults)) as x:
        bring_in_line(rules_client(x.url), RULES)
        reader = StreamReader("simulated", x.url, now=clock.now, wait=clock.wait)
        reader.start()
        take_until_it_ends(reader)
    expected = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 320, 320, 320]
    assert len(clock.waited) == len(expected) and "HTTP 403" in (reader.fatal or "")
    assert all(0.8 * most <= waited <= most for waited, most in zip(clock.waited, expected, strict=True))


def test_connects_stay_below_what_x_allows_also_over_a_restart(tmp_path: Path) -> None:
    clock, memory, readers = PretendedTime(), StateFile(tmp_path / "x.sqlite"), []
    closed: list[dict[str, Any]] = [{"after": 0, "then": "close"}]
    with Simulator(
        Options(faults=[*closed * 30, {"status": 401}, *closed * (CONNECTS - 31), {"status": 401}])
    ) as x:
        bring_in_line(rules_client(x.url), RULES)
        for _ in range(2):
            readers.append(
                StreamReader("simulated", x.url, 21, 1e-12, state=memory, now=clock.now, wait=clock.wait)
            )
            readers[-1].start()
            take_until_it_ends(readers[-1])
    assert [reader.connects for reader in readers] == [31, CONNECTS - 30]
    assert all("HTTP 401" in (reader.fatal or "") for reader in readers)
    assert CONNECT_WINDOW_SECONDS - 10 < clock.waited[-1] <= CONNECT_WINDOW_SECONDS
    memory.close()


def test_a_second_producer_can_not_have_what_the_first_remembers(tmp_path: Path) -> None:
    memory = StateFile(tmp_path / "x.sqlite")
    with pytest.raises(UserError, match="another producer uses it"):
        StateFile(tmp_path / "x.sqlite")
    memory.close()
    StateFile(tmp_path / "x.sqlite").close()


class PretendedTime:
    """A clock that goes on by what is waited, at once."""

    def __init__(self) -> None:
        self._now, self.waited = time.time(), list[float]()

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self._now += seconds
        return False


def test_a_gap_knows_the_last_id_that_was_heard_and_why(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=200, faults=[{"after": 20, "then": "disconnect"}])) as x:
        readers.append(reader_of(x))
        lines = [line for line in take(readers[0], 40) if is_tweet(line)]
    [gap] = readers[0].gaps[:1]
    assert gap.last_id in {tweet_record(line, "").key.decode() for line in lines[:20]}
    assert "operational reasons" in gap.reason and gap.filled is False


def test_rules_are_brought_in_line_and_refusals_are_shown() -> None:
    with Simulator() as x:
        client = rules_client(x.url)
        bring_in_line(client, [Rule("kafka", "a"), Rule("python", "b")])
        bring_in_line(client, [Rule("kafka", "a"), Rule("rust", "c")])
        assert {rule["value"] for rule in client.get_rules()["data"]} == {"kafka", "rust"}
        with pytest.raises(UserError, match=r"long: x{80}: rule must be 1 to"):
            bring_in_line(client, [Rule("x" * 2_000, "long"), Rule("go", "d")])
        assert {rule["value"] for rule in client.get_rules()["data"]} == {"kafka", "rust"}, (
            "nothing is changed"
        )
        bring_in_line(client, [Rule("kafka", "another tag"), *(Rule(f"w{n}", "many") for n in range(250))])
        assert len(client.get_rules()["data"]) == 251


def test_the_rules_file_is_listed_checked_and_applied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.txt"
    file.write_text("a: kafka\nb: python\n")
    settings = replace(KEYS, rules_file=str(file))
    with Simulator() as x:
        said: dict[str, str] = {}
        for name, command in (("none", rules_list), ("before", rules_check), ("apply", rules_apply)):
            assert command(settings, x.url) == 0
            said[name] = capsys.readouterr().out
        file.write_text("a: kafka\nc: rust\n")
        for name, command in (("list", rules_list), ("after", rules_check)):
            assert command(settings, x.url) == 0
            said[name] = capsys.readouterr().out
        assert check(settings, x.url) == 0
        said["check"] = capsys.readouterr().out
    assert "no rules" in said["none"] and "+ a: kafka" in said["before"]
    assert said["list"] == "a: kafka\nb: python\n"
    assert "  a: kafka\n+ c: rust\n- b: python\n" in said["after"]
    assert "api_key: is in .env" in said["check"] and "its rules there: 2" in said["check"]
    assert "secret" not in said["check"].replace("api_secret", "").replace("access_token_secret", "")


def test_keys_that_x_refuses_are_said_in_its_words() -> None:
    with Simulator(Options(keys=("key", "other"))) as x, pytest.raises(UserError, match="Unable to verify"):
        check(KEYS, x.url)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 403, "body": {"title": "Client Forbidden", "reason": "client-not-enrolled"}}, "not-enrolled"),
        ({"status": 429, "body": {"title": "UsageCapExceeded", "detail": "Monthly cap"}}, "cap is reached"),
        ({"status": 400, "body": {"title": "Invalid Request"}}, "HTTP 400"),
    ],
)  # fmt: skip
def test_refusals_of_the_stream_are_said_in_its_words(
    readers: list[StreamReader], fault: dict[str, Any], said: str
) -> None:
    with Simulator(Options(faults=[fault])) as x:
        readers.append(reader_of(x))
        take_until_it_ends(readers[0])
    assert said in (readers[0].fatal or "") and readers[0].connects == 1


def test_search_gives_pages_newest_first(readers: list[StreamReader]) -> None:
    with Simulator(Options(rate=500, limit=60)) as x:
        readers.append(reader_of(x))
        sent = [int(tweet_record(line, "test").key) for line in take(readers[0], 60)]
        client = tweepy.Client("simulated", return_type=dict)
        direct(client.session, x.url)
        since = sorted(sent)[9]
        pages = list(tweepy.Paginator(client.search_recent_tweets, "kafka", max_results=25, since_id=since))
    found = [int(tweet["id"]) for page in pages for tweet in page["data"]]
    assert set(found) == {id_ for id_ in sent if id_ > since} and len(pages) == 2
    assert found == sorted(found, reverse=True)


def test_keys_that_do_not_do_are_named() -> None:
    with pytest.raises(UserError, match="api_key and api_secret"):
        bearer_token(Settings(access_token="t", access_token_secret="s"), "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rule"),
        ("kafka\n", "line 1"),
        (f"tag: {'x' * 1_100}", "1,100 characters"),
        (None, "can't read the rules"),
    ],
)
def test_a_rules_file_that_can_not_be_used(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "rules.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_rules(str(path))


def test_the_example_of_rules_can_be_used() -> None:
    assert len(read_rules("rules.example.txt")) == 3


def test_the_guard_bites_on_stream(tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_text("a: kafka\n")
    env = {"never_contact_x": "1", "api_key": "k", "api_secret": "s", "rules_file": str(rules)}
    env["spill_folder"] = str(tmp_path)
    script = str(ROOT / "kafka-producer" / "producer.py")
    done = subprocess.run(
        [sys.executable, script, "stream"], env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "must not contact X" in done.stderr, done.stderr
    assert "cost at most 5.00 dollars" in done.stderr, "said before anything is asked of X"
