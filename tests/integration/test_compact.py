"""Few large files with every line as it was, while consumers go on, whatever is killed; and what is old is dropped."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import forget as forgetting
from archive_compact import ArchiveCompact, Compacted
from archive_reader import Piece, offsets_in, partitions_of, pieces, records, topic_folders
from archive_retain import ArchiveRetain
from archive_run import FORGET, ArchiveRun
from elasticsearch_index import connect_elasticsearch
from forget import Forget
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


def store_many_epochs(pipeline: Pipeline, owners: int, batches: int = 3) -> None:
    """What is in the topic is stored as by owners that took over one after another, each in so many batches."""
    with admin_client(pipeline.settings) as admin:
        id_ = topic_id(admin, pipeline.settings.topic) or ""
    sink = HdfsSink(pipeline.settings, TopicGuard(id_, lambda: id_))
    found = pipeline.topic_records()
    for partition in {record.partition for record in found}:
        left = [record for record in found if record.partition == partition]
        size = -(-len(left) // (owners * batches))
        for owner in range(owners):
            claim = sink.claim(partition)
            for batch in range(batches):
                start = (owner * batches + batch) * size
                if some := left[start : start + size]:
                    assert sink.write(claim, some, threading.Event()).new == len(some)


def test_merged_while_consumers_run_and_readers_read(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(900))
    store_many_epochs(pipeline, owners=4)
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
    print(dry.stdout, done.stdout)
    assert not while_it_streams.doubled_in_hdfs and not while_it_streams.torn, while_it_streams
    consumers.terminate()
    assert consumers.wait(timeout=60) == 0, consumers.log.read_text()  # type: ignore[attr-defined]
    assert pipeline.catch_up().exit_code == 0

    after = archived(pipeline)
    for partition, lines in before.items():
        assert after[partition][: len(lines)] == lines, "byte by byte, in the same order"
    old = [path for path in files(pipeline) if ".from-" in path]
    assert len(old) == 6, "a file for each partition and day"
    assert all(hdfs(pipeline).blocks(path) == 1 for path in old)
    assert not hdfs(pipeline).list(f"{pipeline.settings.hdfs_root}/_rewriting")


def test_merged_again_and_again(pipeline: Pipeline) -> None:
    """What is small is merged with what came since; when nothing came there is nothing to do."""
    for _ in range(3):
        pipeline.send(tweet_lines(120))
        done = pipeline.run("consumer.py", "--until-caught-up")
        assert done.returncode == 0, done
        compact(pipeline)
        assert compact(pipeline).partitions == 0
    assert pipeline.audit().exit_code == 0
    merged = {path.rpartition("/dt=")[0] for path in files(pipeline) if ".from-" in path}
    assert len(merged) == 6, "one folder for each partition"


def test_a_reader_that_is_in_the_middle_of_it_misses_nothing_and_gets_nothing_twice(
    pipeline: Pipeline,
) -> None:
    pipeline.send(tweet_lines(300))
    store_many_epochs(pipeline, owners=3)
    folder = topic_folder(pipeline)
    whole = {p: offsets_in(hdfs(pipeline), folder, p) for p in range(6)}
    assert sum(map(len, whole.values())) == 300

    class Interrupted(HdfsClient):
        reads = 0

        def read(self, *args: Any, **options: Any) -> Any:
            self.reads += 1
            if self.reads == 4:
                compact(pipeline)
            return super().read(*args, **options)

    auditing = Interrupted(pipeline.settings.webhdfs_url, pipeline.settings.hdfs_user)
    assert sorted(offsets_in(auditing, folder, 0)) == sorted(whole[0])
    pipeline.send(tweet_lines(300))
    store_many_epochs(pipeline, owners=3)
    rebuilding = Interrupted(pipeline.settings.webhdfs_url, pipeline.settings.hdfs_user)
    found = [stored.record.offset for stored in records(rebuilding, folder, 0, pipeline.settings.topic)]
    assert found == list(range(len(found))) and len(found) > len(whole[0])


def test_killed_at_each_step_it_is_finished_by_the_next_run(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(240))
    store_many_epochs(pipeline, owners=3)
    assert pipeline.catch_up().exit_code == 0
    before = archived(pipeline)
    steps = [
        ("MKDIRS", "/_rewriting/compact-", 1, "lose answer"),
        ("CREATE", "/_rewriting/staged-", 2, "lose answer"),
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
    report = pipeline.catch_up()
    assert report.exit_code == 0, report
    assert pipeline.run("archive.py", "compact").returncode == 0
    assert archived(pipeline) == before and pipeline.audit().exit_code == 0
    assert len([path for path in files(pipeline) if ".from-" in path]) == 6
    assert not hdfs(pipeline).list(f"{pipeline.settings.hdfs_root}/_rewriting")


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


@pytest.fixture
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(forgetting, "SETTLE_SECONDS", 0.0)
    yield


def test_forgetting_comes_first(pipeline: Pipeline, settled_at_once: None) -> None:
    """A compaction that has read a value can't bring it back, and none begins while forget is under way."""
    secret = tweet_lines(1)[0].replace(b"kafka", b"unsayable")
    pipeline.send([*tweet_lines(60), secret, *tweet_lines(60)])
    store_many_epochs(pipeline, owners=3)

    def forget() -> None:
        with admin_client(pipeline.settings) as admin:
            Forget(pipeline.settings, connect_elasticsearch(pipeline.settings), admin).run(
                [id_of(secret)], []
            )

    with pytest.raises(UserError, match=r"another run of archive\.py has begun, and ended this compact"):
        Meanwhile(pipeline, forget).run(dry=False)
    assert not [path for path in files(pipeline) if b"unsayable" in reading(pipeline, path)]
    compact(pipeline)
    assert not [path for path in files(pipeline) if b"unsayable" in reading(pipeline, path)]
    assert sum(b'"forgotten":' in line for lines in archived(pipeline).values() for line in lines) == 1
    report = pipeline.catch_up()
    assert (report.exit_code, report.forgotten_in_hdfs) == (0, 1), report
    with ArchiveRun(pipeline.settings, hdfs(pipeline), FORGET):
        done = pipeline.run("archive.py", "compact")
        refused(done, "archive.py forget is running, or was killed")
        assert done.stderr.count("\n") == 1


def reading(pipeline: Pipeline, path: str) -> bytes:
    with hdfs(pipeline).read(path) as reader:
        return reader.read()


def test_of_two_compactions_at_once_the_later_does_it(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(120))
    store_many_epochs(pipeline, owners=3)
    before = archived(pipeline)
    with pytest.raises(UserError, match=r"another run of archive\.py has begun"):
        Meanwhile(pipeline, lambda: compact(pipeline)).run(dry=False)
    assert archived(pipeline) == before
    assert pipeline.catch_up().exit_code == 0


def test_old_days_are_dropped_and_owners_go_on_where_they_were(pipeline: Pipeline) -> None:
    """A topic that is gone since, of records that arrived over ten days; an owner took over every other day."""
    first = datetime.now(UTC) - timedelta(days=100)
    guard = TopicGuard("00000000-0000-0000-0000-000000000001", lambda: "00000000-0000-0000-0000-000000000001")
    sink = HdfsSink(pipeline.settings, guard)
    for _ in range(5):
        claim = sink.claim(0)
        for day in range(claim.next, claim.next + 2):
            at = int(first.timestamp() * 1000) + day * DAY_MS
            record = Record(tweet_lines(1)[0], day, partition=0, timestamp=at)
            assert sink.write(claim, [record], threading.Event()).new == 1
    folder = topic_folder(pipeline)
    first_kept = (first + timedelta(days=5)).date().isoformat()
    retain(pipeline, first_kept)
    assert offsets_in(hdfs(pipeline), folder, 0) == [5, 6, 7, 8, 9]
    compact(pipeline)
    retain(pipeline, datetime.now(UTC).date().isoformat())
    assert offsets_in(hdfs(pipeline), folder, 0) == [9], "where the next owner sees what comes next"
    assert sink.claim(0).next == 10


def retain(pipeline: Pipeline, first_kept: str) -> str:
    client = connect_elasticsearch(pipeline.settings)
    return str(ArchiveRetain(pipeline.settings, hdfs(pipeline), client, first_kept).drop())


def test_what_was_dropped_is_not_called_missing_and_what_is_missing_is(pipeline: Pipeline) -> None:
    """As if today were long ago: the topic still has everything that is dropped."""
    pipeline.send(tweet_lines(60))
    store_many_epochs(pipeline, owners=3)
    assert pipeline.catch_up().exit_code == 0
    said = retain(pipeline, (datetime.now(UTC) + timedelta(days=1)).date().isoformat())
    assert "Elasticsearch: 60 tweets" in said, said
    report = pipeline.audit()
    assert report.exit_code == 0 and report.dropped_from_elasticsearch == 60, report
    assert 0 < report.dropped_from_hdfs < 60 and report.stored == 60 - report.dropped_from_hdfs
    assert "archive.py retain has dropped" in str(report)
    pipeline.send(tweet_lines(6))
    assert pipeline.catch_up().exit_code == 0, "owners went on where they were"
    lose_a_dropped_note(pipeline)
    assert pipeline.audit().exit_code == 1, "without the note it would be called missing"


def lose_a_dropped_note(pipeline: Pipeline) -> None:
    hdfs(pipeline).delete(f"{pipeline.settings.hdfs_root}/_retained", recursive=True)


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
