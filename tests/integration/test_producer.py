"""The producer on real brokers: what it says it sent is in the topic."""

import re
import signal
import threading
import time
from functools import partial
from typing import Any

from kafka_cluster.kafka_options import Producer, producer_options
from kafka_cluster.message import header
from pipeline import Pipeline, brokers_away, wait_until
from sample import POISON, tweet_lines


def test_what_is_broken_goes_to_the_dead_letters_and_the_rest_goes_on(pipeline: Pipeline) -> None:
    tweets = tweet_lines(3_000)
    broken = POISON["no JSON"] or b""
    huge = b'{"data":{"id":"9","text":"' + b"y" * 1_200_000 + b'"}}'
    lines = [*tweets[:10], broken, huge, *tweets[10:]]
    (pipeline.folder / "tweets.jsonl").write_bytes(b"\n".join(lines))
    done = pipeline.run("producer.py", "replay", "tweets.jsonl")
    assert done.returncode == 0, done.stderr
    assert "3,000 tweets, 2 refused; 3,002 acknowledged" in done.stdout
    assert sorted(pipeline.topic_values()) == sorted(tweets)
    letters = pipeline.topic_records(pipeline.settings.dead_letter_topic)
    assert {header(letter.headers, "line") for letter in letters} == {"11", "12"}
    assert {letter.value for letter in letters} == {broken, huge[:900_000]}
    assert {header(letter.headers, "size") for letter in letters} == {
        str(len(broken) + 1),
        str(len(huge) + 1),
    }


def test_a_producer_whose_records_nobody_takes_can_be_closed(pipeline: Pipeline, cluster: Any) -> None:
    """Else each one that failed would leave its thread and its sockets behind."""
    pipeline.send(tweet_lines(1))
    threads = set(threading.enumerate())
    producer = Producer(**producer_options(pipeline.settings))
    producer.partitions_for(pipeline.settings.topic)
    with brokers_away(cluster):
        producer.send(pipeline.settings.topic, b"{}")
        producer.close(timeout=1)
        wait_until(lambda: set(threading.enumerate()) <= threads, 10)


def test_a_broker_killed_in_the_middle_loses_nothing(pipeline: Pipeline, cluster: Any) -> None:
    tweets = tweet_lines(12_000)
    (pipeline.folder / "tweets.jsonl").write_bytes(b"\n".join(tweets))
    producer = pipeline.start("producer.py", "replay", "tweets.jsonl", "--rate", "1500")
    wait_until(
        lambda: "kafka" in producer.log.read_text() or producer.poll() is not None or time.sleep(4) is None
    )
    cluster.kill("kafka2")
    time.sleep(2)
    cluster.start("kafka2")
    assert producer.wait(timeout=90) == 0, producer.log.read_text()
    assert set(pipeline.topic_values()) == set(tweets)


def test_asked_to_end_it_ends_with_everything_acknowledged_and_says_how_much(pipeline: Pipeline) -> None:
    (pipeline.folder / "tweets.jsonl").write_bytes(b"\n".join(tweet_lines(20_000)))
    for number, wanted in ((signal.SIGTERM, 1_000), (signal.SIGINT, 2_500)):
        producer = pipeline.start("producer.py", "replay", "tweets.jsonl", "--rate", "500")
        wait_until(partial(pipeline.topic_has, wanted))
        producer.send_signal(number)
        assert producer.wait(timeout=20) == 0, producer.log.read_text()
        said = re.search(r"([\d,]+) tweets, 0 refused; ([\d,]+) acknowledged", producer.log.read_text())
        assert said and said[1] == said[2] != "0"
        sent = int(said[1].replace(",", ""))
        values = pipeline.topic_values()
        assert len(values) == sent if number == signal.SIGTERM else len(values) > sent


def test_a_sample_goes_through_the_whole_pipeline(pipeline: Pipeline) -> None:
    sample = pipeline.run("producer.py", "sample", "--count", "2000", "--seed", "3")
    (pipeline.folder / "sample.jsonl").write_text(sample.stdout)
    assert pipeline.run("producer.py", "replay", "sample.jsonl").returncode == 0
    report = pipeline.catch_up()
    assert (report.exit_code, report.records) == (0, 2_000), report
    assert report.dead_letters == 0 and 1_980 <= report.indexed <= 2_000


def test_a_dry_run_contacts_nothing(pipeline: Pipeline) -> None:
    (pipeline.folder / "tweets.jsonl").write_bytes(b"\n".join(tweet_lines(7)))
    done = pipeline.run("producer.py", "replay", "tweets.jsonl", "--dry-run", bootstrap_servers="127.0.0.1:1")
    assert (done.returncode, "7 tweets" in done.stdout) == (0, True)
