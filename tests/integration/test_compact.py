"""Few large files with every line as it was, while consumers go on, whatever is killed; and what is old is dropped."""

import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from archive_compact import ArchiveCompact, Compacted
from archive_reader import Piece, offsets_in, partitions_of, pieces, records, topic_folders
from archive_retain import ArchiveRetain
from archive_rewrite import ArchiveRewrite
from archive_run import FORGET, ArchiveRun
from elasticsearch_forget import ElasticsearchForget
from elasticsearch_index import connect_elasticsearch
from forgotten_list import ForgottenList
from hdfs_client import HdfsClient
from hdfs_sink import HdfsSink
from kafka_cluster.script import UserError
from kafka_cluster.topics import admin_client, topic_id
from namenode_proxy import NameNodeProxy
from pipeline import Pipeline, refused
from sample import Record, id_of, tweet_lines
from topic_guard import TopicGuard

pytestmark = pytest.mark.long

DAY_MS = 86_400_000
GONE = "00000000-0000-0000-0000-000000000001"
"""A topic's id, for what needs HDFS alone."""


def hdfs(pipeline: Pipeline) -> HdfsClient:
    return HdfsClient(pipeline.settings)


def topic_folder(pipeline: Pipeline) -> str:
    (folder,) = topic_folders(hdfs(pipeline), pipeline.settings.hdfs_root, pipeline.settings.topic).values()
    return folder


def archived(pipeline: Pipeline) -> dict[str, list[bytes]]:
    """Every line of the archive as readers find it, by partition."""
    client, folder = hdfs(pipeline), topic_folder(pipeline)
    return {
        str(partition): [
            line
            for piece in sorted(pieces(client, folder, partition), key=lambda piece: piece.first)
            for line in content(client, piece).splitlines(keepends=True)
        ]
        for partition in partitions_of(client, folder)
    }


def content(client: HdfsClient, piece: Piece) -> bytes:
    with client.read(piece.path) as reader:
        return reader.read()


def files(pipeline: Pipeline) -> list[str]:
    """The paths of all files below the topic's folder, whether a reader looks at them or not."""
    walked = hdfs(pipeline).walk(topic_folder(pipeline))
    return [f"{folder}/{name}" for folder, _, names in walked for name in names]


def compact(pipeline: Pipeline) -> Compacted:
    return ArchiveCompact(pipeline.settings, hdfs(pipeline)).run(dry=False)


def store(pipeline: Pipeline, values: list[bytes], owners: int, batches: int = 3, partition: int = 0) -> None:
    """As by owners that took over one after another, each in so many batches, of a topic that is gone since."""
    sink = HdfsSink(pipeline.settings, TopicGuard(GONE, lambda: GONE))
    size = -(-len(values) // (owners * batches))
    for owner in range(owners):
        claim = sink.claim(partition)
        for batch in range(batches):
            start = (owner * batches + batch) * size
            some = [
                Record(value, claim.next + number, partition, int(time.time() * 1000))
                for number, value in enumerate(values[start : start + size])
            ]
            assert sink.write(claim, some, threading.Event()).new == len(some)


def store_topic(pipeline: Pipeline, owners: int) -> None:
    """What is in the topic, as by owners that took over one after another, in three batches each."""
    with admin_client(pipeline.settings) as admin:
        id_ = topic_id(admin, pipeline.settings.topic) or ""
    sink = HdfsSink(pipeline.settings, TopicGuard(id_, lambda: id_))
    found = pipeline.topic_records()
    for partition in {record.partition for record in found}:
        left = [record for record in found if record.partition == partition]
        size = -(-len(left) // (owners * 3))
        for start in range(0, len(left), size * 3):
            claim = sink.claim(partition)
            for batch in range(start, start + size * 3, size):
                sink.write(claim, left[batch : batch + size], threading.Event())


def test_merged_while_consumers_run_and_readers_read(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(900))
    store_topic(pipeline, owners=4)
    assert pipeline.catch_up().exit_code == 0
    before, many = archived(pipeline), files(pipeline)
    dry = pipeline.run("archive.py", "compact", "--dry-run")
    assert dry.returncode == 0 and "would be merged: 6 partitions" in dry.stdout, dry
    assert files(pipeline) == many, "nothing was changed"

    consumers, enough = pipeline.start("consumer.py"), threading.Event()

    def stream() -> None:
        while not enough.wait(0.1):
            pipeline.send(tweet_lines(20))

    streaming = threading.Thread(target=stream)
    streaming.start()
    try:
        done = pipeline.run("archive.py", "compact")
        while_it_streams = pipeline.audit()
    finally:
        enough.set()
        streaming.join()
    assert done.returncode == 0 and "merged: 6 partitions" in done.stdout, done
    assert not while_it_streams.doubled_in_hdfs and not while_it_streams.torn, while_it_streams
    consumers.terminate()
    assert consumers.wait(timeout=60) == 0, consumers.log.read_text()  # type: ignore[attr-defined]
    assert pipeline.catch_up().exit_code == 0

    after = archived(pipeline)
    for partition, lines in before.items():
        assert after[partition][: len(lines)] == lines, "byte by byte, in the same order"
    assert_merged(pipeline, partitions=6)


def assert_merged(pipeline: Pipeline, partitions: int) -> None:
    """One file for each partition, since all is of one day, in one block; and nothing is left aside."""
    merged = [path for path in files(pipeline) if ".from-" in path]
    assert len(merged) == partitions and all(hdfs(pipeline).blocks(path) == 1 for path in merged)
    assert not hdfs(pipeline).list(f"{pipeline.settings.hdfs_root}/_rewriting")


def test_merged_again_and_again(pipeline: Pipeline) -> None:
    """What is small is merged with what came since; when nothing came there is nothing to do."""
    for _ in range(3):
        store(pipeline, tweet_lines(40), owners=3)
        before = archived(pipeline)
        assert compact(pipeline).partitions == 1
        assert compact(pipeline).partitions == 0
        assert archived(pipeline) == before
    assert_merged(pipeline, partitions=1)
    assert len(before["0"]) == 120


def test_a_reader_that_is_in_the_middle_of_it_misses_nothing_and_gets_nothing_twice(
    pipeline: Pipeline,
) -> None:
    """The archive is compacted while it is read, again and again, each time at a later file."""

    class Interrupted(HdfsClient):
        left = 0

        def read(self, *args: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                assert compact(pipeline).partitions == 1
            return super().read(*args, **options)

    reader = Interrupted(pipeline.settings)
    for reads in range(1, 7):
        store(pipeline, tweet_lines(18), owners=3)
        folder, whole = topic_folder(pipeline), list(range(18 * reads))
        reader.left = reads
        if reads % 2:
            assert offsets_in(reader, folder, 0) == whole
        else:
            found = records(reader, folder, 0, pipeline.settings.topic)
            assert [stored.record.offset for stored in found] == whole
        assert reader.left < 0, "it was compacted in the middle"


def test_killed_at_each_step_it_is_finished_by_the_next_run(pipeline: Pipeline) -> None:
    for partition in range(2):
        store(pipeline, tweet_lines(30), owners=3, partition=partition)
    before = archived(pipeline)
    steps = [
        ("MKDIRS", "/_rewriting/compact-", 1, "lose answer"),
        ("CREATE", "/_rewriting/staged-", 1, "lose answer"),
        ("RENAME", "/_rewriting/staged-", 1, "lose answer"),  # a file into its day's folder
        ("RENAME", "/_rewriting/staged-", 2, "lose request"),  # the whole into the run's folder
        ("RENAME", "/_rewriting/staged-", 2, "lose answer"),
        ("RENAME", "/_rewriting/compact-", 1, "lose request"),  # and from there into the archive
        ("RENAME", "/_rewriting/compact-", 1, "lose answer"),
        ("DELETE", "/topic=", 1, "lose request"),
        ("DELETE", "/topic=", 2, "lose answer"),
    ]  # fmt: skip
    for operation, path, number, fate in steps:
        killed_at(pipeline, operation, path, number, fate)
        assert archived(pipeline) == before, (operation, path, fate)
    assert pipeline.run("archive.py", "compact").returncode == 0
    assert archived(pipeline) == before
    assert_merged(pipeline, partitions=2)


def killed_at(pipeline: Pipeline, operation: str, path: str, number: int, fate: str) -> None:
    """A run dies while its so-manieth request of this kind is on the way, which takes effect or not."""
    proxy, left = NameNodeProxy(pipeline.settings.webhdfs_url), [number]

    def hook(seen: str, where: str) -> str:
        if seen == operation and path in where and run.poll() is None:
            left[0] -= 1
            if left[0] == 0:
                run.kill()
                return fate
        return "pass"

    try:
        proxy.hook = hook
        run = pipeline.start("archive.py", "compact", webhdfs_url=proxy.url)
        assert run.wait(timeout=120) == -9, (operation, path, run.log.read_text())  # type: ignore[attr-defined]
    finally:
        proxy.close()


class Meanwhile(ArchiveCompact):
    """A compaction in the middle of which something else happens, once: when it has read, and not yet published."""

    def __init__(self, pipeline: Pipeline, what: Callable[[], object]) -> None:
        super().__init__(pipeline.settings, hdfs(pipeline))
        self._what: list[Callable[[], object]] = [what]

    def _write(self, some: list[Piece]) -> str:
        written = super()._write(some)
        while self._what:
            self._what.pop()()
        return written


def test_forgetting_comes_first(pipeline: Pipeline) -> None:
    """A compaction that has read a value can't bring it back, and none begins while forget is under way."""
    secret = tweet_lines(1)[0].replace(b"kafka", b"unsayable")
    store(pipeline, [*tweet_lines(10), secret, *tweet_lines(30)], owners=4)
    known = ForgottenList(pipeline.settings)
    known.add([id_of(secret)], [])

    def forget() -> None:
        with ArchiveRewrite(pipeline.settings, hdfs(pipeline)) as archive:
            archive.partition(GONE, topic_folder(pipeline), 0, known.now())
            assert archive.emptied == 1

    with pytest.raises(UserError, match=r"another run of archive\.py has begun, and ended this compact"):
        Meanwhile(pipeline, forget).run(dry=False)
    assert b"unsayable" not in everything(pipeline)
    assert compact(pipeline).partitions == 1
    assert b"unsayable" not in everything(pipeline)
    assert sum(b'"forgotten":' in line for line in archived(pipeline)["0"]) == 1
    with ArchiveRun(pipeline.settings, hdfs(pipeline), FORGET):
        done = pipeline.run("archive.py", "compact")
        refused(done, "archive.py forget is running, or was killed")
        assert done.stderr.count("\n") == 1


def everything(pipeline: Pipeline) -> bytes:
    """All bytes below the root of HDFS, whatever they are."""
    client, found = hdfs(pipeline), b""
    for folder, _, names in client.walk(pipeline.settings.hdfs_root):
        for name in names:
            with client.read(f"{folder}/{name}") as reader:
                found += reader.read()
    return found


def test_of_two_compactions_at_once_the_later_does_it(pipeline: Pipeline) -> None:
    store(pipeline, tweet_lines(30), owners=3)
    before = archived(pipeline)
    with pytest.raises(UserError, match=r"another run of archive\.py has begun"):
        Meanwhile(pipeline, lambda: compact(pipeline)).run(dry=False)
    assert archived(pipeline) == before
    assert_merged(pipeline, partitions=1)


def test_days_that_are_over_are_sealed_and_their_owner_goes_on(pipeline: Pipeline) -> None:
    """So that an owner who stays for months keeps nothing from being merged: one run seals, a later one merges."""
    guard = TopicGuard(GONE, lambda: GONE)
    sink, now = HdfsSink(pipeline.settings, guard), int(time.time() * 1000)
    claim, offset = sink.claim(0), 0
    for days_ago in (4, 3, 2, 1):
        for _ in range(3):
            record = Record(tweet_lines(1)[0], offset, 0, now - days_ago * DAY_MS)
            offset += sink.write(claim, [record], threading.Event()).new
        done = compact(pipeline)
        assert (done.waiting, sink.still_held(claim)) == (1, False)
        claim = sink.claim(0)
        assert claim.next == offset, "nothing is lost for the owner"
        assert done.partitions == (days_ago < 4)
        assert offsets_in(hdfs(pipeline), topic_folder(pipeline), 0) == list(range(offset))
    assert len(files(pipeline)) == 3 + 3, "a file for each day, and the newest epoch as it was"


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
