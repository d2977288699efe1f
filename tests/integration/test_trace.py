"""Where one tweet is, and when it came there."""

import json
from typing import Any

import pytest

from hdfs_client import HdfsClient
from namenode_proxy import NameNodeProxy
from pipeline import Pipeline
from sample import POISON, id_of, tweet_lines

pytestmark = pytest.mark.long


def traced(pipeline: Pipeline, *args: str, **env: str) -> list[dict[str, Any]]:
    done = pipeline.run("audit.py", "trace", *args, "--json", **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def line_of(pipeline: Pipeline, passed: dict[str, Any]) -> bytes:
    client = HdfsClient(pipeline.settings)
    with client.read(passed["file"]) as reader:
        return reader.read().split(b"\n")[passed["line"] - 1]


def test_each_record_of_a_tweet_is_found_with_its_place_and_time_everywhere(pipeline: Pipeline) -> None:
    tweets = tweet_lines(300)
    wanted = tweets[123]
    pipeline.send(tweets)
    pipeline.send([wanted])
    assert pipeline.catch_up().exit_code == 0
    found = traced(pipeline, id_of(wanted))
    records = [record for record in pipeline.topic_records() if record.value == wanted]
    assert {(each["partition"], each["offset"]) for each in found} == {
        (r.partition, r.offset) for r in records
    }
    assert len(found) == 2
    for each in found:
        assert b'"tweet":' + wanted in line_of(pipeline, each)
        assert each["index"] == f"{pipeline.settings.elasticsearch_alias}-000001"
        assert each["leader"].startswith("broker ") and each["dead_letter"] is None
        assert each["created_at"] < each["received_at"] <= each["appended_at"] < each["stored_at"]
    indexed = [each for each in found if each["indexed_at"]]
    assert len(indexed) == 1 and indexed[0]["indexed_at"] > indexed[0]["appended_at"]
    shown = pipeline.run("audit.py", "trace", id_of(wanted)).stdout
    assert "record 2 of 2" in shown and f"line {found[0]['line']} of {found[0]['file']}" in shown


def test_a_tweet_is_found_in_the_archive_after_kafka_has_forgotten_it(pipeline: Pipeline) -> None:
    tweets = tweet_lines(60)
    pipeline.send([*tweets, tweets[5]])
    assert pipeline.catch_up().exit_code == 0
    before = traced(pipeline, id_of(tweets[5]))
    pipeline.forget()
    pipeline.send([tweets[5]])
    assert pipeline.catch_up().exit_code == 0
    assert len(traced(pipeline, id_of(tweets[5]))) == 1, "Kafka has one, so the archive is not searched"
    after = traced(pipeline, id_of(tweets[5]), "--archive")
    for each in before:
        each["file"] = each["file"].replace(".open", "")  # the next owner has sealed it
    assert len(after) == 3 and after[:2] == before
    assert len(traced(pipeline, id_of(tweets[6]))) == 1

    pipeline.delete_topic()
    assert len(traced(pipeline, id_of(tweets[5]))) == 3, "the archive outlives the topic"


def test_only_the_piece_that_holds_the_record_is_read(pipeline: Pipeline) -> None:
    for _ in range(4):
        pipeline.send(tweets := tweet_lines(30))
        assert pipeline.catch_up().exit_code == 0
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    try:
        (found,) = traced(pipeline, id_of(tweets[0]), webhdfs_url=proxy.url)
        opened = {path for operation, path in proxy.seen if operation == "OPEN"}
        assert opened == {f"/webhdfs/v1{found['file']}"}
    finally:
        proxy.close()


def test_a_dead_letter_and_one_that_is_nowhere(pipeline: Pipeline) -> None:
    pipeline.send([*tweet_lines(3), POISON["no id"]])
    assert pipeline.run("audit.py", "trace", "123").returncode == 1
    refused = pipeline.run("audit.py", "trace", "tweet-123")
    assert refused.returncode == 2 and "is a number" in refused.stderr
