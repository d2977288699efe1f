"""The guarantees: each record is in HDFS once, each tweet in Elasticsearch once or in the dead letters."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from elasticsearch_index import connect_elasticsearch, ensure_index
from elasticsearch_sink import ElasticsearchSink
from forgotten_posts import Forgotten
from kafka_cluster.message import dead_letter_origin, header
from pipeline import Pipeline, wait_until
from sample import POISON, Record, odd_tweets, tweet_lines
from secret_posts import indexed
from topic_guard import TopicGuard


def committed_everything(pipeline: Pipeline) -> bool:
    report = pipeline.audit()
    return not (report.lag_elasticsearch or report.lag_hdfs)


def test_a_file_of_tweets_is_in_both_places_and_can_be_read_again(pipeline: Pipeline) -> None:
    tweets = tweet_lines(2_000)
    (pipeline.folder / "tweets.jsonl").write_bytes(b"\r\n".join(tweets))
    replayed = pipeline.run("producer.py", "replay", "tweets.jsonl")
    assert replayed.returncode == 0, replayed.stderr
    before = pipeline.run("audit.py")
    assert before.returncode == 3, "the groups have read nothing yet"

    report = pipeline.catch_up()
    assert (report.ids, report.indexed, report.stored, report.exit_code) == (2_000, 2_000, 2_000, 0), report

    again = pipeline.run("consumer.py", "--from-beginning", "--until-caught-up")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("read again 2,000: 0 new, 2,000 already there") >= 2, again.stderr
    assert pipeline.run("audit.py").returncode == 0


@pytest.mark.long
def test_a_backlog_is_stored_without_waiting_for_the_clock(pipeline: Pipeline) -> None:
    """Reading pauses while too much is buffered, and must not wait then until records are old enough to be written."""
    pipeline.send(tweet_lines(30_000))
    started = time.monotonic()
    stored = pipeline.run(
        "consumer.py",
        "--group",
        "hdfs",
        "--until-caught-up",
        hdfs_flush_bytes=str(1 << 20),
        hdfs_flush_seconds="60",
    )
    assert stored.returncode == 0, stored.stderr
    assert time.monotonic() - started < 45, stored.stderr


def test_redelivered_tweets_are_one_in_elasticsearch_and_each_record_is_in_hdfs(pipeline: Pipeline) -> None:
    tweets = tweet_lines(50)
    pipeline.send([*tweets, *tweets[:20]])
    report = pipeline.catch_up()
    assert (report.records, report.ids, report.indexed, report.stored) == (70, 50, 50, 70), report


def test_poison_goes_to_the_dead_letters_with_reason_and_origin_and_the_rest_goes_on(
    pipeline: Pipeline,
) -> None:
    pipeline.send([*tweet_lines(30), *POISON.values(), *odd_tweets(), *tweet_lines(30)])
    report = pipeline.catch_up()
    assert report.exit_code == 0, report
    assert (report.dead_letters, report.indexed, report.stored) == (len(POISON), 63, 63 + len(POISON)), report
    letters = pipeline.topic_records(pipeline.settings.dead_letter_topic)
    origins = {dead_letter_origin(letter.headers) for letter in letters}
    assert len(origins) == len(letters) == len(POISON)
    assert {letter.value for letter in letters} == set(POISON.values())
    assert all(header(letter.headers, "reason") for letter in letters)


@pytest.mark.skipif(
    not shutil.which("prlimit"), reason="bounds the files of a running process, which is Linux's"
)
def test_a_document_that_is_in_elasticsearchs_memory_only_is_not_taken_for_stored(
    pipeline: Pipeline, cluster: Any
) -> None:
    """A translog that can't be written lives on, and answers 409 for what the failed request has left in memory."""
    pid = cluster.native.processes["elasticsearch"].pid
    client = connect_elasticsearch(pipeline.settings)
    ensure_index(client, pipeline.settings)
    nothing = SimpleNamespace(recent=Forgotten, close=lambda: None)
    sink = ElasticsearchSink(
        pipeline.settings, client, lambda _: None, TopicGuard("id", lambda: "id"), nothing  # type: ignore[arg-type]
    )  # fmt: skip
    records = [Record(tweet, offset) for offset, tweet in enumerate(tweet_lines(501))]
    last = records.pop()
    largest_file(pid, "100000")
    try:
        with ThreadPoolExecutor(1) as worker:
            writing = worker.submit(sink.write, None, records, Event())
            wait_until(lambda: sink.resent > 0)
            largest_file(pid, "unlimited")
            written = writing.result()
        # a translog that could not be written fails of one more, and with it the shard
        sink.write(None, [last], Event())
        client.cluster.reroute(retry_failed=True, metric="none")
        client.indices.refresh(index=pipeline.settings.elasticsearch_alias)
        found = client.count(index=pipeline.settings.elasticsearch_alias)["count"]
        assert (written.total, found) == (500, 501), written
    finally:
        largest_file(pid, "unlimited")
        sink.close()


def largest_file(pid: int, bytes_: str) -> None:
    """Bound how large a server may make a file, as a full disk does; in its user's name, which is enough."""
    leader = psutil.Process(pid)
    for process in [leader, *leader.children(recursive=True)]:
        other = {"user": process.uids().real, "group": process.gids().real, "extra_groups": []}
        command = ["prlimit", "--pid", str(process.pid), f"--fsize={bytes_}:"]
        subprocess.run(command, check=True, **(other if os.getuid() == 0 else {}))  # type: ignore[call-overload]


def test_killed_consumers_lose_and_double_nothing(pipeline: Pipeline) -> None:
    chance = random.Random(7)
    for _ in range(4):
        pipeline.send(tweet_lines(1_500))
        groups = [pipeline.start("consumer.py", "--group", group) for group in ("elasticsearch", "hdfs")]
        time.sleep(chance.uniform(2.0, 5.0))
        for process in groups:
            process.kill()
            process.wait()
    assert pipeline.catch_up().exit_code == 0, pipeline.audit()


@pytest.mark.long
def test_a_second_process_of_a_group_comes_and_goes(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(500))
    first = pipeline.start("consumer.py")
    for _ in range(2):
        second = pipeline.start("consumer.py")
        pipeline.send(tweet_lines(500))
        time.sleep(5)
        pipeline.send(tweet_lines(500))
        second.terminate()
        assert second.wait(timeout=30) == 0, second.log.read_text()
    wait_until(lambda: committed_everything(pipeline))
    first.terminate()
    assert first.wait(timeout=30) == 0, first.log.read_text()
    report = pipeline.audit()
    assert (report.exit_code, report.stored) == (0, 2_500), report


@pytest.mark.long
def test_a_frozen_consumer_that_wakes_after_another_took_over_spoils_nothing(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(300))
    frozen = pipeline.start("consumer.py", "--group", "hdfs")
    wait_until(lambda: pipeline.audit().stored == 300)
    pipeline.send(tweet_lines(300))
    frozen.send_signal(signal.SIGSTOP)
    other = pipeline.start("consumer.py", "--group", "hdfs")
    pipeline.send(tweet_lines(300))
    wait_until(lambda: pipeline.audit().stored == 900)
    frozen.send_signal(signal.SIGCONT)
    pipeline.send(tweet_lines(300))
    wait_until(lambda: not pipeline.audit().lag_hdfs)
    for process in (frozen, other):
        process.terminate()
        process.wait(timeout=30)
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 1_200), report


@pytest.mark.long
def test_a_topic_made_anew_has_a_tree_of_its_own(pipeline: Pipeline) -> None:
    from kafka_cluster.topics import admin_client

    pipeline.send(tweet_lines(40))
    assert pipeline.catch_up().stored == 40
    consumer = pipeline.start("consumer.py", "--group", "hdfs")
    time.sleep(5)
    with admin_client(pipeline.settings) as admin:
        admin.delete_topics([pipeline.settings.topic])
    time.sleep(2)
    pipeline.send(tweet_lines(25))
    code = consumer.wait(timeout=60)
    assert code == 1 and "made anew" in consumer.log.read_text()
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored, report.records) == (0, 25, 25), report


def test_both_groups_end_together_with_everything_delivered(pipeline: Pipeline) -> None:
    consumer = pipeline.start("consumer.py")
    pipeline.send(tweet_lines(100))
    wait_until(lambda: pipeline.audit().indexed == 100)
    consumer.send_signal(signal.SIGINT)
    assert consumer.wait(timeout=30) == 0
    assert pipeline.audit().exit_code == 0


def test_the_audit_sees_what_is_missing_and_what_is_doubled(pipeline: Pipeline) -> None:
    from elasticsearch_index import connect_elasticsearch
    from hdfs_client import HdfsClient

    tweets = tweet_lines(60)
    pipeline.send(tweets)
    assert pipeline.catch_up().exit_code == 0
    gone = json.loads(tweets[7])["data"]["id"]
    connect_elasticsearch(pipeline.settings).delete(index=pipeline.settings.elasticsearch_alias, id=gone)
    client = HdfsClient(pipeline.settings)
    pieces = [
        f"{folder}/{name}"
        for folder, _, names in client.walk(pipeline.settings.hdfs_root)
        for name in names
        if name.endswith(".jsonl")
    ]
    body = client.read_end(pieces[0], 1 << 20, client.status(pieces[0])["length"])
    lines = body.count(b"\n")
    client.write(pieces[0].replace(".jsonl", "9.jsonl"), data=body)
    client.delete(pieces[1])
    report = pipeline.audit()
    assert report.missing_in_elasticsearch == [gone]
    assert len(report.doubled_in_hdfs) == lines
    assert report.missing_in_hdfs
    assert pipeline.run("audit.py").returncode == 1


@pytest.mark.long
def test_group_a_goes_on_without_hdfs(pipeline: Pipeline) -> None:
    """Whatever it reads now, nobody has forgotten before."""
    pipeline.send(tweet_lines(10))
    assert pipeline.catch_up().exit_code == 0
    pipeline.send(tweet_lines(30))
    done = pipeline.run(
        "consumer.py", "--group", "elasticsearch", "--until-caught-up", webhdfs_url="http://127.0.0.1:9"
    )
    assert done.returncode == 0 and "taken all the same" in done.stderr, done.stderr
    assert indexed(pipeline, "kafka") == 40
