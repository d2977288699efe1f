"""What is old is dropped, from HDFS and Elasticsearch, and nobody calls it missing."""

import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from archive_reader import offsets_in
from archive_retain import ArchiveRetain
from elasticsearch_forget import ElasticsearchForget
from elasticsearch_index import connect_elasticsearch
from hdfs_sink import HdfsSink
from pipeline import Pipeline, refused
from sample import Record, tweet_lines
from stored_archive import DAY_MS, GONE, compact, hdfs, store_topic, topic_folder
from topic_guard import TopicGuard

pytestmark = pytest.mark.long


def test_old_days_are_dropped_and_owners_go_on_where_they_were(pipeline: Pipeline) -> None:
    """Records that arrived over ten days; an owner took over every other day."""
    first = datetime.now(UTC) - timedelta(days=100)
    sink = HdfsSink(pipeline.settings, TopicGuard(GONE, lambda: GONE))
    for _ in range(5):
        claim = sink.claim(0)
        for day in range(claim.next, claim.next + 2):
            at = int(first.timestamp() * 1000) + day * DAY_MS
            record = Record(tweet_lines(1)[0], day, 0, at)
            assert sink.write(claim, [record], threading.Event()).new == 1
    folder = topic_folder(pipeline)
    said = retain_in_hdfs(pipeline, (first + timedelta(days=5)).date().isoformat())
    assert "5 days" in said and "5 folders, 5 files" in said, said
    assert offsets_in(hdfs(pipeline), folder, 0) == [5, 6, 7, 8, 9]
    compact(pipeline)
    said = retain_in_hdfs(pipeline, datetime.now(UTC).date().isoformat())
    assert "4 days" in said and f"keeps {(first + timedelta(days=9)).date()} all the same" in said, said
    assert offsets_in(hdfs(pipeline), folder, 0) == [9], "where the next owner sees what comes next"
    assert sink.claim(0).next == 10


def test_days_of_an_owner_who_stays_are_dropped_too(pipeline: Pipeline) -> None:
    """What would be dropped is what is dropped: the open epoch is sealed for it."""
    sink = HdfsSink(pipeline.settings, TopicGuard(GONE, lambda: GONE))
    claim = sink.claim(0)
    for offset, days_ago in enumerate((90, 80, 70, 0)):
        at = int(time.time() * 1000) - days_ago * DAY_MS
        sink.write(claim, [Record(tweet_lines(1)[0], offset, 0, at)], threading.Event())
    first_kept = (datetime.now(UTC) - timedelta(days=75)).date().isoformat()
    would_be = ArchiveRetain(pipeline.settings, hdfs(pipeline), first_kept).look()
    assert len(would_be.folders) == 2 and not would_be.kept and sink.still_held(claim)
    assert retain_in_hdfs(pipeline, first_kept) == str(would_be)
    assert offsets_in(hdfs(pipeline), topic_folder(pipeline), 0) == [2, 3]
    assert sink.claim(0).next == 4 and not sink.still_held(claim)


def retain_in_hdfs(pipeline: Pipeline, first_kept: str) -> str:
    return str(ArchiveRetain(pipeline.settings, hdfs(pipeline), first_kept).drop())


def test_what_was_dropped_is_not_called_missing_and_what_is_missing_is(pipeline: Pipeline) -> None:
    """As if today were long ago: the topic still has everything that is dropped."""
    pipeline.send(tweet_lines(60))
    store_topic(pipeline, owners=3)
    assert pipeline.catch_up().exit_code == 0
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    retain_in_hdfs(pipeline, tomorrow)
    documents = ElasticsearchForget(
        connect_elasticsearch(pipeline.settings), pipeline.settings.elasticsearch_alias
    )
    assert documents.count_written_before(tomorrow) == 60
    documents.written_before(tomorrow)
    report = pipeline.audit()
    assert report.exit_code == 0 and report.dropped_from_elasticsearch == 60, report
    assert 0 < report.dropped_from_hdfs < 60 and report.stored == 60 - report.dropped_from_hdfs
    assert "archive.py retain has dropped" in str(report)
    pipeline.send(tweet_lines(6))
    assert pipeline.catch_up().exit_code == 0, "owners went on where they were"
    hdfs(pipeline).delete(f"{pipeline.settings.hdfs_root}/_retained", recursive=True)
    assert pipeline.audit().exit_code == 1, "without the note it would be called missing"


def test_nothing_is_dropped_without_a_word(pipeline: Pipeline) -> None:
    pipeline.send([line.replace(b"2026-11-23T", b"2024-11-23T") for line in tweet_lines(5)] + tweet_lines(7))
    assert pipeline.catch_up().exit_code == 0
    dry = pipeline.run("archive.py", "retain", "--months", "12", "--dry-run")
    assert dry.returncode == 0 and "Elasticsearch: 5 tweets" in dry.stdout and "--dry-run" in dry.stdout, dry
    asked: subprocess.CompletedProcess[str] = pipeline.run("archive.py", "retain", "--months", "12")
    refused(asked, "nothing was dropped: add --yes to drop it")
    assert "Elasticsearch: 5 tweets" in asked.stdout and pipeline.audit().indexed == 12
    done = pipeline.run("archive.py", "retain", "--months", "12", "--yes")
    assert done.returncode == 0 and "dropped\n" in done.stdout, done
    report = pipeline.audit()
    assert (report.exit_code, report.indexed, report.dropped_from_elasticsearch) == (0, 7, 5), report
    assert report.dropped_from_hdfs == 0


def test_an_index_that_is_closed_is_named_and_nothing_counts_as_done(pipeline: Pipeline) -> None:
    """By `forget` too: what is in it would be back once it is opened."""
    pipeline.send(tweet_lines(1))
    assert pipeline.catch_up().exit_code == 0
    client, closed = connect_elasticsearch(pipeline.settings), f"{pipeline.settings.elasticsearch_alias}-9"
    client.indices.create(index=closed)
    client.indices.close(index=closed)
    for command in (["forget", "--user", "7"], ["retain", "--months", "12", "--yes"]):
        done = pipeline.run("archive.py", *command)
        assert done.returncode == 2 and f"{closed} is closed: open it, or delete it" in done.stderr, done
