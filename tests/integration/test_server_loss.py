"""More servers dead at once than is promised to be survived without a pause, and disks that come back empty."""

import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from kafka_cluster.message import tweet_record
from kafka_cluster.topics import admin_client
from pipeline import BROKERS, Pipeline, wait_until
from sample import tweet_lines

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


def in_sync(pipeline: Pipeline) -> bool:
    """All three replicas of each partition are."""
    with admin_client(pipeline.settings) as admin:
        [topic] = admin.describe_topics([pipeline.settings.topic])
    return all(len(partition["isr_nodes"]) == 3 for partition in topic["partitions"])


def test_two_brokers_dead_for_long_tweets_wait_on_disk_and_nothing_is_lost(
    pipeline: Pipeline, cluster: Any
) -> None:
    producer = pipeline.start("producer.py", "simulate", "--rate", "200")
    wait_until(lambda: pipeline.topic_has(300))
    consumers = pipeline.start("consumer.py")
    for name in ("kafka2", "kafka3"):
        cluster.kill(name)
    wait_until(lambda: "tweets wait in" in producer.log.read_text())
    waiting = re.compile(r"([\d,]+) wait on disk")
    # longer than a batch may take, after which the client of Kafka gives up
    wait_until(
        lambda: int((waiting.findall(producer.log.read_text()) or ["0"])[-1].replace(",", "")) > 8_000, 120
    )
    for name in ("kafka2", "kafka3"):
        cluster.start(name)
    wait_until(lambda: "has been given everything that waited" in producer.log.read_text(), 120)
    producer.send_signal(signal.SIGINT)
    assert producer.wait(timeout=30) == 0, producer.log.read_text()
    said = re.search(r"([\d,]+) tweets.*; ([\d,]+) acknowledged by Kafka$", producer.log.read_text(), re.M)
    assert said and said[1] == said[2], producer.log.read_text()
    distinct = {tweet_record(value, "").key for value in pipeline.topic_values()}
    assert len(distinct) > 0.99 * int(said[1].replace(",", "")), "but for redeliveries"
    consumers.terminate()
    assert consumers.wait(timeout=60) == 0, consumers.log.read_text()
    assert pipeline.catch_up().exit_code == 0, pipeline.audit()


def test_without_zookeeper_what_runs_goes_on(pipeline: Pipeline, cluster: Any) -> None:
    producer = pipeline.start("producer.py", "simulate", "--rate", "100")
    consumers = pipeline.start("consumer.py")
    wait_until(lambda: pipeline.topic_has(300))
    cluster.kill("zookeeper")
    try:
        wait_until(lambda: pipeline.topic_has(2_500))  # past the brokers' sessions with it
    finally:
        cluster.start("zookeeper")
    wait_until(lambda: in_sync(pipeline))
    for process in (producer, consumers):
        process.terminate()
        assert process.wait(timeout=60) == 0, process.log.read_text()
    assert pipeline.catch_up().exit_code == 0, pipeline.audit()


def test_every_server_killed_at_once_loses_nothing_that_was_acknowledged(
    pipeline: Pipeline, cluster: Any
) -> None:
    """As by a power cut, but for what the kernel still writes to disk."""
    tweets = tweet_lines(2_000)
    pipeline.send(tweets)
    assert pipeline.catch_up().exit_code == 0
    more = tweet_lines(2_000)
    pipeline.send(more)
    for name, process in cluster.native.processes.items():
        assert process.pid, name
        cluster.kill(name)
    cluster.native.up()
    report = pipeline.catch_up()
    assert (report.exit_code, report.records, report.stored) == (0, 4_000, 4_000), report
    assert set(pipeline.topic_values()) == {*tweets, *more}


def test_a_broker_whose_disk_is_empty_copies_everything_again(pipeline: Pipeline, cluster: Any) -> None:
    tweets = tweet_lines(3_000)
    pipeline.send(tweets)
    others = [name for name in BROKERS if name != "kafka3"]
    cluster.kill("kafka3")
    for folder in cluster.native.configs["kafka3"].folders:
        shutil.rmtree(Path(folder))
    cluster.start("kafka3")
    wait_until(lambda: in_sync(pipeline))
    for name in others:
        cluster.kill(name)
    try:
        wait_until(lambda: pipeline.topic_has(3_000))
        assert set(pipeline.topic_values()) == set(tweets), "read from it alone"
    finally:
        for name in others:
            cluster.start(name)


def test_one_datanode_is_enough_to_go_on_and_without_any_group_b_waits(
    pipeline: Pipeline, cluster: Any
) -> None:
    pipeline.send(tweet_lines(500))
    names = ("datanode1", "datanode2", "datanode3")
    try:
        for name in names[1:]:
            cluster.kill(name)
        assert pipeline.catch_up().stored == 500
        cluster.kill(names[0])
        pipeline.send(tweet_lines(500))
        consumer = pipeline.start("consumer.py", "--group", "hdfs")
        wait_until(lambda: "starts anew" in consumer.log.read_text())
    finally:
        for name in names:
            cluster.start(name)
    wait_until(lambda: not pipeline.audit().lag_hdfs, 120)
    consumer.terminate()
    assert consumer.wait(timeout=30) == 0, consumer.log.read_text()
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 1_000), report
