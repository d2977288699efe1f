"""The topic under the consumers: made anew, cut at its start, shorter than what was read."""

import json
import signal
import time
from threading import Event
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from archive_reader import offsets_in, topic_folders
from elasticsearch_index import connect_elasticsearch
from hdfs_client import HdfsClient
from hdfs_sink import HdfsSink
from kafka_cluster.kafka_options import consumer_options
from pipeline import Pipeline, events, wait_until
from sample import Record, tweet_lines
from topic_guard import open_topic_guard

pytestmark = pytest.mark.long


def read_up_to(pipeline: Pipeline, records: int) -> bool:
    report = pipeline.audit()
    return report.exit_code == 0 and report.records == records


@pytest.mark.timeout(400)
@pytest.mark.parametrize("running", [True, False], ids=["consumers running", "consumers stopped"])
def test_a_topic_made_anew_loses_nothing(pipeline: Pipeline, running: bool) -> None:
    """The new topic soon has more records than the old one had: offsets of the old one must say nothing."""
    pipeline.send(tweet_lines(120))
    groups: list[Any] = []
    if running:
        groups = [pipeline.start("consumer.py", "--group", group) for group in ("elasticsearch", "hdfs")]
        wait_until(lambda: read_up_to(pipeline, 120))
    else:
        assert pipeline.catch_up().exit_code == 0
    pipeline.make_topic_anew()
    pipeline.send(tweet_lines(600))
    for group in groups:
        assert group.wait(timeout=60) == 1 and "made anew" in group.log.read_text(), group.log.read_text()
    report = pipeline.catch_up()
    assert (report.exit_code, report.records, report.indexed, report.stored) == (0, 600, 600, 600), report
    assert report.foreign_ids == 120, "what was read before is in Elasticsearch still"


def test_offsets_of_a_topic_that_is_gone_are_no_offsets_of_the_new_one(pipeline: Pipeline) -> None:
    """A commit that was on its way while the topic was made anew."""
    pipeline.send(tweet_lines(200))
    commit(pipeline, pipeline.settings.elasticsearch_group, 30, "another topic's id")
    report = pipeline.catch_up()
    assert (report.exit_code, report.indexed) == (0, 200), report


def commit(pipeline: Pipeline, group: str, offset: int, topic_id: str) -> None:
    consumer = KafkaConsumer(**consumer_options(pipeline.settings, group))
    tps = [TopicPartition(pipeline.settings.topic, partition) for partition in range(6)]
    consumer.assign(tps)
    consumer.commit({tp: OffsetAndMetadata(offset, topic_id, -1) for tp in tps})
    consumer.close()


def test_a_lost_range_is_recorded_and_shown(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(60))
    assert pipeline.catch_up().exit_code == 0
    pipeline.send(tweet_lines(300))
    lost = pipeline.forget(keep=5) - 60
    assert lost > 200
    pipeline.send(tweet_lines(20))
    consumers = pipeline.start("consumer.py")
    wait_until(lambda: read_up_to(pipeline, 50))
    wait_until(lambda: sum(each["lost"] for each in events(pipeline, "lost")) == 2 * lost)
    consumers.terminate()
    consumers.wait(timeout=30)
    report = pipeline.audit()
    told = [int(text.partition(" ")[0]) for text in report.lost]
    assert sum(told) == 2 * lost, report.lost
    assert sum(pipeline.settings.hdfs_group in text for text in report.lost) >= len(report.lost) // 2 > 0

    shown = pipeline.run("audit.py").stdout
    assert "LOST before it was read" in shown and "of what Kafka still holds" in shown
    listed = pipeline.run("dead_letters.py", "list").stdout
    assert listed.count(f" {lost:,} ") == 2 and "deleted by Kafka's retention" in listed, listed

    assert pipeline.catch_up().lost == report.lost, "told once"
    assert pipeline.run("dead_letters.py", "replay").returncode == 0
    figures = json.loads(pipeline.run("audit.py", "--json").stdout)
    assert figures["exit_code"] == 0 and len(figures["lost"]) == len(report.lost)


@pytest.mark.parametrize("reading", [True, False], ids=["in the middle of it", "nothing read yet"])
def test_a_range_that_is_lost_under_running_consumers(pipeline: Pipeline, reading: bool) -> None:
    """Kafka's client goes on behind the range without a word."""
    pipeline.send(tweet_lines(60))
    if not reading:
        assert pipeline.catch_up().exit_code == 0
    groups: list[Any] = [
        pipeline.start("consumer.py", "--group", group) for group in ("elasticsearch", "hdfs")
    ]
    if reading:
        wait_until(lambda: read_up_to(pipeline, 60))
    else:
        wait_until(lambda: "assigned" in groups[0].log.read_text())
        wait_until(lambda: groups[1].log.read_text().count("claimed") >= 6)
        time.sleep(1)  # until they ask for records
    for group in groups:
        group.send_signal(signal.SIGSTOP)
    pipeline.send(tweet_lines(300))
    pipeline.forget(keep=5)
    for group in groups:
        group.send_signal(signal.SIGCONT)
    pipeline.send(tweet_lines(20))
    wait_until(lambda: read_up_to(pipeline, 50))
    for group in groups:
        group.terminate()
        assert group.wait(timeout=30) == 0, group.log.read_text()
    settings, report = pipeline.settings, pipeline.audit()
    lost = {
        name: sum(int(text.partition(" ")[0]) for text in report.lost if name in text)
        for name in (settings.elasticsearch_group, settings.hdfs_group)
    }  # an answer to a fetch was on its way to each while it was frozen, so they did not lose the same
    indexed = connect_elasticsearch(settings).count(index=settings.elasticsearch_alias)["count"]
    assert lost[settings.elasticsearch_group] == 380 - indexed > 0
    client = HdfsClient(settings)
    (folder,) = topic_folders(client, settings.hdfs_root, settings.topic).values()
    stored = sum(len(offsets_in(client, folder, partition)) for partition in range(6))
    assert lost[settings.hdfs_group] == 380 - stored > 0


def test_records_that_are_deleted_after_they_were_read_are_not_lost(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(90))
    assert pipeline.catch_up().exit_code == 0
    pipeline.forget()
    report = pipeline.catch_up()
    assert (report.exit_code, report.records, report.lost) == (0, 0, []), report


def test_a_new_group_on_a_topic_whose_beginning_is_gone(pipeline: Pipeline) -> None:
    """An empty partition too must not keep the groups from being done."""
    pipeline.send(tweet_lines(90))
    pipeline.forget()
    report = pipeline.catch_up()
    assert report.exit_code == 0, report
    assert all(pipeline.settings.hdfs_group in text for text in report.lost), (
        "a new group A has missed nothing"
    )


def test_an_archive_beyond_the_end_of_the_log_stops_loudly(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(30))
    with open_topic_guard(pipeline.settings) as guard:
        sink = HdfsSink(pipeline.settings, guard)
        sink.write(sink.claim(2), [Record(b"{}", 5_000, partition=2)], Event())
    done = pipeline.run("consumer.py", "--group", "hdfs")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "partition 2 goes on at 5001, the log ends at" in done.stderr


def test_offsets_beyond_the_end_of_the_log_stop_loudly(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(30))
    with open_topic_guard(pipeline.settings) as guard:
        commit(pipeline, pipeline.settings.elasticsearch_group, 5_000, guard.topic_id)
    done = pipeline.run("consumer.py", "--group", "elasticsearch")
    assert done.returncode == 1 and "goes on at 5000, the log ends at" in done.stderr, done.stderr
    again = pipeline.run("consumer.py", "--group", "elasticsearch", "--from-beginning", "--until-caught-up")
    assert again.returncode == 0 and "30 new" in again.stderr, again.stderr
