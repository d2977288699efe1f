"""The live stream through the real Kafka: a simulated X over HTTP, the real tweepy, the bounds that people pay for."""

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from kafka_cluster.message import header, tweet_record
from pipeline import SCRIPTS, Pipeline, wait_until

CALL = """
import sys
sys.argv = ["producer.py"]
from kafka_cluster.script import run, set_up_logging
from kafka_cluster.settings import load_settings
from dataclasses import replace
from live import read_stream
from stream_rules import Rule
from x_simulator import Options, Simulator

def main():
    set_up_logging()
    with Simulator(Options(rate=400, faults={faults})) as x:
        settings = replace(load_settings(), api_key="k", api_secret="s")
        return read_stream(settings, x.url, [Rule("a", "a")], "stream", {max_posts}, None)

run(main)
"""


def read_stream(pipeline: Pipeline, max_posts: int, faults: str = "[]") -> subprocess.CompletedProcess[str]:
    """Read a simulated X as if it were X: the path of `producer.py stream`, with another address."""
    script = pipeline.folder / "call.py"
    script.write_text(CALL.format(max_posts=max_posts, faults=faults))
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


BROKERS = ("kafka1", "kafka2", "kafka3")


@contextlib.contextmanager
def brokers_away(cluster: Any) -> Iterator[None]:
    """All three frozen, for less than a session with ZooKeeper lasts."""
    for name in BROKERS:
        cluster.suspend(name)
    try:
        yield
    finally:
        for name in BROKERS:
            cluster.resume(name)


def waiting_in(pipeline: Pipeline) -> list[bytes]:
    """The values in the spill file of a producer that is gone."""
    [file] = (pipeline.folder / "spill").glob("*.sqlite")
    with contextlib.closing(sqlite3.connect(file)) as database:
        return [value for (value,) in database.execute("SELECT value FROM waiting ORDER BY number")]


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


def test_max_posts_bounds_a_run_and_gaps_are_told(pipeline: Pipeline) -> None:
    done = read_stream(pipeline, 500, '[{"after": 100, "then": "cut"}, {"after": 100, "then": "disconnect"}]')
    assert done.returncode == 0, done.stderr
    # what was on its way when the bound was reached is billed, hence kept; half a line comes through a cut or not
    assert re.search(r": 5\d\d tweets, [01] refused, 1 control messages", done.stdout), done.stdout
    assert done.stderr.count("gap from") == 2 and "3 connects, 2 gaps" in done.stderr


def test_what_x_refuses_is_said_in_its_words_and_ends_the_run(pipeline: Pipeline) -> None:
    done = read_stream(pipeline, 500, '[{"status": 403}]')
    assert done.returncode == 1
    assert "Refused - by the simulator" in done.stderr and "developer portal" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_source_and_without_keys_the_simulator_is_read(pipeline: Pipeline) -> None:
    producer = pipeline.start("producer.py", api_key="", api_secret="")
    wait_until(lambda: pipeline.topic_has(1))
    assert "reading a simulated stream: there are no keys" in producer.log.read_text()
    producer.send_signal(signal.SIGINT)
    assert producer.wait(timeout=20) == 0, producer.log.read_text()
