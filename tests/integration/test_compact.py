"""Few large files with every line as it was, while consumers go on, whatever is killed."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from archive_compact import ArchiveCompact
from archive_reader import Piece, offsets_in, records
from archive_rewrite import ArchiveRewrite
from archive_run import FORGET, ArchiveRun
from forgotten_list import ForgottenList
from hdfs_client import HdfsClient
from hdfs_sink import HdfsSink
from kafka_cluster.script import UserError
from namenode_proxy import NameNodeProxy
from pipeline import Pipeline, refused
from sample import Record, id_of, tweet_lines
from stored_archive import DAY_MS, GONE, archived, compact, files, hdfs, store, store_topic, topic_folder
from topic_guard import TopicGuard

pytestmark = pytest.mark.long


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
