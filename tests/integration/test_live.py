"""The live stream through the real Kafka: a simulated X over HTTP, the real tweepy, the bounds that people pay for."""

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import pytest

from kafka_cluster.message import header, tweet_record
from pipeline import SCRIPTS, Pipeline, brokers_away, wait_until
from x_simulator import Options, Simulator

CALL = """
import sys
sys.argv = ["producer.py"]
from kafka_cluster.script import run, set_up_logging
from kafka_cluster.settings import load_settings
from dataclasses import replace
from functools import partial
import live
from live import read_stream
from stream_rules import Rule
from x_simulator import Options, Simulator

live.GapFiller = partial(live.GapFiller, after_seconds=1)  # this X finds at once

def main():
    set_up_logging()
    with Simulator(Options(rate={rate}, faults={faults}, {more})) as x:
        settings = replace(load_settings(), api_key="canary-key", api_secret="canary-secret")
        return read_stream(settings, x.url, [Rule("a", "a")], "stream", {max_posts}, None, {fill_gaps})

run(main)
"""


SEARCH = """
import sys
sys.argv = ["producer.py"]
from kafka_cluster.script import run, set_up_logging
from kafka_cluster.settings import load_settings
from dataclasses import replace
from search_poll import search

def main():
    set_up_logging(verbose=True)
    settings = replace(load_settings(), api_key="canary-key", api_secret="canary-secret", max_posts={max_posts})
    return search(settings, "kafka", 1.0, {once}, "{url}")

run(main)
"""


def read_stream(
    pipeline: Pipeline, max_posts: int, faults: str = "[]", fill_gaps: bool = False, rate: int = 400
) -> subprocess.CompletedProcess[str]:
    """Read a simulated X as if it were X: the path of `producer.py stream`, with another address."""
    code = CALL.format(max_posts=max_posts, faults=faults, fill_gaps=fill_gaps, rate=rate, more="")
    return call(pipeline, code)


def call(pipeline: Pipeline, code: str) -> subprocess.CompletedProcess[str]:
    """Run code of the producer's room to its end."""
    script = pipeline.folder / "call.py"
    script.write_text(code)
    env = pipeline.env | {"PYTHONPATH": str(SCRIPTS["producer.py"].parent), "PATH": ""}
    return subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_simulated_stream_goes_through_the_whole_pipeline(pipeline: Pipeline) -> None:
    done = pipeline.run("producer.py", "simulate", "--rate", "300", "--duration", "5")
    assert done.returncode == 0, done.stderr
    said = re.search(r"([\d,]+) tweets, 0 refused.*; ([\d,]+) acknowledged", done.stdout)
    assert said and said[1] == said[2], done.stdout
    records = pipeline.topic_records()
    assert len(records) == int(said[1].replace(",", "")) > 1_000
    assert {header(record.headers, "source") for record in records} == {"simulator"}
    assert pipeline.catch_up().exit_code == 0


def test_asked_to_end_it_ends_within_two_seconds_with_everything_acknowledged(pipeline: Pipeline) -> None:
    producer = pipeline.start("producer.py", "simulate", "--rate", "300")
    wait_until(lambda: pipeline.topic_has(300))
    started = time.monotonic()
    producer.send_signal(signal.SIGTERM)
    assert producer.wait(timeout=20) == 0, producer.log.read_text()
    assert time.monotonic() - started < 2
    said = re.search(r"([\d,]+) tweets, 0 refused.*; ([\d,]+) acknowledged", producer.log.read_text())
    assert said and said[1] == said[2]
    assert len(pipeline.topic_values()) == int(said[1].replace(",", ""))


def waiting_in(pipeline: Pipeline) -> list[bytes]:
    """The values in the spill file of a producer that is gone."""
    [file] = (pipeline.folder / "spill").glob("*.sqlite")
    with contextlib.closing(sqlite3.connect(file)) as database:
        return [value for (value,) in database.execute("SELECT value FROM waiting ORDER BY number")]


@pytest.mark.long
def test_while_kafka_is_away_tweets_wait_on_disk_and_go_on_afterwards(
    pipeline: Pipeline, cluster: Any
) -> None:
    producer = pipeline.start("producer.py", "simulate", "--rate", "300", "--duration", "12")
    wait_until(lambda: pipeline.topic_has(300))
    with brokers_away(cluster):
        time.sleep(3.5)
    assert producer.wait(timeout=60) == 0, producer.log.read_text()
    said = re.search(r"([\d,]+) tweets.*; ([\d,]+) acknowledged by Kafka$", producer.log.read_text(), re.M)
    assert said and said[1] == said[2], producer.log.read_text()
    assert "tweets wait in" in producer.log.read_text()
    distinct = {tweet_record(value, "").key for value in pipeline.topic_values()}
    assert len(distinct) > 0.99 * int(said[1].replace(",", "")), "but for redeliveries"


@pytest.mark.long
def test_while_kafka_is_away_x_has_a_reader_that_keeps_up(pipeline: Pipeline, cluster: Any) -> None:
    script = pipeline.folder / "call.py"
    more = "prebuilt=1_000, redelivered=0, most_waiting_bytes=1 << 20"  # less than a second of it
    script.write_text(CALL.format(max_posts=8_000, faults="[]", fill_gaps=False, rate=1_000, more=more))
    producer = pipeline.start_file(script, PYTHONPATH=str(SCRIPTS["producer.py"].parent))
    wait_until(lambda: pipeline.topic_has(500))
    with brokers_away(cluster):
        time.sleep(4)
    assert producer.wait(timeout=60) == 0, producer.log.read_text()
    log = producer.log.read_text()
    assert "tweets wait in" in log and "1 connects, 0 gaps" in log, log
    assert len({tweet_record(value, "").key for value in pipeline.topic_values()}) >= 8_000


@pytest.mark.long
def test_killed_while_kafka_is_away_the_next_run_sends_what_waited(pipeline: Pipeline, cluster: Any) -> None:
    producer = pipeline.start("producer.py", "simulate", "--rate", "300")
    wait_until(lambda: pipeline.topic_has(300))
    with brokers_away(cluster):
        time.sleep(3.5)
        producer.kill()
        producer.wait()
    waited = waiting_in(pipeline)
    assert len(waited) > 300, "those that were on their way, and those that came"
    again = pipeline.run("producer.py", "simulate", "--rate", "100", "--duration", "3")
    assert again.returncode == 0 and "of an earlier run wait" in again.stderr, again.stderr
    assert set(waited) <= set(pipeline.topic_values())
    assert not list((pipeline.folder / "spill").iterdir()), "nothing waits any more"


@pytest.mark.long
def test_max_posts_bounds_a_run_and_gaps_are_told(pipeline: Pipeline) -> None:
    done = read_stream(pipeline, 500, '[{"after": 100, "then": "cut"}, {"after": 100, "then": "disconnect"}]')
    assert done.returncode == 0, done.stderr
    # what was on its way when the bound was reached is billed, hence kept; half a line comes through a cut or not
    assert re.search(r": 5\d\d tweets, [01] refused, 1 control messages", done.stdout), done.stdout
    assert done.stderr.count("gap from") == 2 and "3 connects, 2 gaps" in done.stderr
    assert (
        "not filled" in done.stderr and "this run read about" in done.stderr and "canary" not in done.stderr
    )


@pytest.mark.long
def test_gaps_are_filled_by_search_where_that_is_asked_for(pipeline: Pipeline) -> None:
    done = read_stream(pipeline, 3_000, '[{"after": 100, "then": "cut"}]', fill_gaps=True, rate=100)
    assert done.returncode == 0, done.stderr
    assert re.search(r"the gap from .* is filled: [1-9]", done.stderr) and ", filled: " in done.stderr
    records = pipeline.topic_records()
    found = {record.key for record in records if header(record.headers, "source") == "search"}
    heard = {record.key for record in records if header(record.headers, "source") == "stream"}
    assert found - heard and len(records) <= 3_100


@pytest.mark.long
def test_search_goes_on_where_it_was_and_reads_nothing_twice(pipeline: Pipeline) -> None:
    with Simulator(Options(rate=200, redelivered=0, search_faults=[{"status": 503}])) as x:
        assert call(pipeline, SEARCH.format(max_posts=10, once=True, url=x.url)).returncode == 0
        time.sleep(3)
        bounded = call(pipeline, SEARCH.format(max_posts=250, once=True, url=x.url))
        assert bounded.returncode == 0 and "max_posts is reached" in bounded.stderr, bounded.stderr
        for _ in range(2):
            done = call(pipeline, SEARCH.format(max_posts=100_000, once=True, url=x.url))
            assert done.returncode == 0 and "this run read about" in done.stderr, done.stderr
    records = pipeline.topic_records()
    keys = [int(record.key) for record in records]
    assert len(keys) == len(set(keys)) > 600
    assert {header(record.headers, "source") for record in records} == {"search"}
    assert "canary" not in bounded.stderr + done.stderr


@pytest.mark.long
def test_search_that_kafka_has_not_acknowledged_is_read_again(pipeline: Pipeline, cluster: Any) -> None:
    with Simulator(Options(rate=100, redelivered=0)) as x:
        assert call(pipeline, SEARCH.format(max_posts=100_000, once=True, url=x.url)).returncode == 0
        script = pipeline.folder / "endless.py"
        script.write_text(SEARCH.format(max_posts=100_000, once=False, url=x.url))
        env = pipeline.env | {"PYTHONPATH": str(SCRIPTS["producer.py"].parent), "PATH": ""}
        with script.with_suffix(".log").open("w") as log:
            poll = subprocess.Popen([sys.executable, str(script)], env=env, stdout=log, stderr=log)
        pipeline.processes.append(poll)  # type: ignore[arg-type]
        wait_until(lambda: pipeline.topic_has(200))
        with brokers_away(cluster):
            time.sleep(3)
            started = time.monotonic()
            poll.send_signal(signal.SIGTERM)
            poll.wait(timeout=20)
            assert time.monotonic() - started < 2
        newest = time.time()
        done = call(pipeline, SEARCH.format(max_posts=100_000, once=True, url=x.url))
        assert done.returncode == 0, done.stderr
    keys = sorted({int(record.key) for record in pipeline.topic_records()})
    born = [(key >> 22) / 1000 + 1_288_834_974.657 for key in keys]
    assert born[-1] > newest - 2 and max(b - a for a, b in pairwise(born)) < 0.5, "none is missing"


@pytest.mark.long
def test_asked_to_end_while_kafka_is_away_it_ends_within_two_seconds(
    pipeline: Pipeline, cluster: Any
) -> None:
    producer = pipeline.start("producer.py", "simulate", "--rate", "300")
    wait_until(lambda: pipeline.topic_has(300))
    with brokers_away(cluster):
        time.sleep(3)
        started = time.monotonic()
        producer.send_signal(signal.SIGTERM)
        assert producer.wait(timeout=20) == 1
        assert time.monotonic() - started < 2
    assert "the next run sends them" in producer.log.read_text()
    assert waiting_in(pipeline)


@pytest.mark.long
def test_what_x_refuses_is_said_in_its_words_and_ends_the_run(pipeline: Pipeline) -> None:
    done = read_stream(pipeline, 500, '[{"status": 403}]')
    assert done.returncode == 1
    assert "Refused - by the simulator" in done.stderr and "developer portal" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_without_a_source_and_without_keys_the_simulator_is_read(pipeline: Pipeline) -> None:
    producer = pipeline.start("producer.py", api_key="", api_secret="")
    wait_until(lambda: pipeline.topic_has(100))
    assert "reading a simulated stream: there are no keys" in producer.log.read_text()
    producer.send_signal(signal.SIGINT)
    assert producer.wait(timeout=20) == 0, producer.log.read_text()
