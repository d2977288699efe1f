"""Group B when HDFS answers late, not at all, or twice; when its process dies between any two steps."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from threading import Event
from urllib.parse import urlsplit

import pytest

from archive_reader import offsets_in
from hdfs_archive import topic_folder
from hdfs_client import HdfsClient, NotYes
from hdfs_sink import HdfsSink
from namenode_proxy import Hook, NameNodeProxy, pause, times
from pipeline import Pipeline, refused, wait_until
from sample import Record, tweet_lines
from topic_guard import TopicGuard

pytestmark = pytest.mark.long


@pytest.fixture
def proxy(pipeline: Pipeline) -> Iterator[NameNodeProxy]:
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    pipeline.env["webhdfs_url"] = proxy.url
    yield proxy
    proxy.close()


STEPS = ("LISTSTATUS", "MKDIRS", "RENAME", "CREATE", "CONCAT")


def test_requests_that_are_lost_unanswered_or_doubled(pipeline: Pipeline, proxy: NameNodeProxy) -> None:
    fates = ("lose request", "lose answer", "twice")
    hooks = [times(step, fate, count=2, every=5 + 2 * n) for step in STEPS for n, fate in enumerate(fates)]

    def hook(operation: str, path: str) -> str:
        found = [hook(operation, path) for hook in hooks]
        return next((fate for fate in found if fate != "pass"), "pass")

    proxy.hook = hook
    consumer = pipeline.start("consumer.py", "--group", "hdfs", hdfs_flush_seconds="0.2")
    for _ in range(16):
        pipeline.send(tweet_lines(120))
    wait_until(lambda: pipeline.audit().lag_hdfs == 0, 90)
    consumer.terminate()
    consumer.wait(timeout=30)
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 1_920), report


def test_killed_in_the_middle_of_each_step(pipeline: Pipeline, proxy: NameNodeProxy) -> None:
    """The process dies while its request is on the way, which takes effect or not; the next one takes over."""
    for step, fate in (
        ("MKDIRS", "lose answer"), ("LISTSTATUS", "lose request"), ("CREATE", "lose answer"), ("RENAME", "lose answer"),
        ("RENAME", "lose request"),
    ):  # fmt: skip
        pipeline.send(tweet_lines(200))
        consumer = pipeline.start("consumer.py", "--group", "hdfs", hdfs_flush_seconds="0.2")
        proxy.hook = killing(consumer, step, fate, after=3)
        consumer.wait(timeout=60)
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 1_000), report


def killing(process: "subprocess.Popen[str]", step: str, fate: str, after: int) -> Hook:
    """A hook that kills a process in the middle of a request, not the first of its kind."""
    left = [after]

    def hook(operation: str, path: str) -> str:
        if operation == step and process.poll() is None:
            left[0] -= 1
            if left[0] < 0:
                process.kill()
                return fate
        return "pass"

    return hook


def test_a_rename_that_arrives_after_the_next_owner_has_claimed(
    pipeline: Pipeline, proxy: NameNodeProxy
) -> None:
    """The old owner's RENAME is held until the new one has sealed its epoch and stored the same records."""
    pipeline.send(tweet_lines(200))
    old = pipeline.start("consumer.py", "--group", "hdfs", hdfs_flush_seconds="0.2")
    held = pause("RENAME", 14)
    proxy.hook = lambda operation, path: held(operation, path) if "_staging" in path else "pass"
    wait_until(lambda: any(operation == "CREATE" for operation, _ in proxy.seen))
    old.kill()
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 200), report
    wait_until(lambda: proxy.hook("GETFILESTATUS", "_staging") == "pass", 20)
    assert pipeline.audit().exit_code == 0


def test_pieces_are_joined_and_read_back_whole(pipeline: Pipeline) -> None:
    """More than two rounds of joining, and a day that ends in between; the next owner finds the last line."""
    sink = HdfsSink(pipeline.settings, TopicGuard("id", lambda: "id"))
    claim = sink.claim(0)
    day = 86_400_000
    for offset in range(150):
        record = Record(tweet_lines(1)[0], offset, partition=0, timestamp=(20_000 + offset // 140) * day)
        assert sink.write(claim, [record], Event()).new == 1
    client = HdfsClient(pipeline.settings)
    pieces = {folder[-10:]: len(names) for folder, _, names in client.walk(claim.folder) if names}
    assert sorted(pieces.values()) == [10, 140 - 2 * 63], "two rounds of 63 pieces joined to the first"
    topic = topic_folder(pipeline.settings.hdfs_root, pipeline.settings.topic, "id")
    assert offsets_in(client, topic, 0) == list(range(150))
    assert HdfsSink(pipeline.settings, TopicGuard("id", lambda: "id")).claim(0).next == 150
    assert not sink.still_held(claim)
    with pytest.raises(NotYes):
        sink.write(claim, [Record(b"{}", 150, partition=0, timestamp=20_001 * day)], Event())
    assert offsets_in(client, topic, 0) == list(range(150)), "the old owner stored nothing more"


def test_a_namenode_that_sends_tweets_elsewhere_is_not_obeyed(
    pipeline: Pipeline, proxy: NameNodeProxy
) -> None:
    with closing(socket.create_server(("127.0.0.2", 0))) as elsewhere:
        elsewhere.settimeout(0.3)
        address = f"127.0.0.2:{elsewhere.getsockname()[1]}"
        proxy.location = lambda location: urlsplit(location)._replace(netloc=address).geturl()
        pipeline.send(tweet_lines(10))
        done = pipeline.run("consumer.py", "--group", "hdfs", "--until-caught-up")
        refused(
            done,
            f"HDFS sends us on to http://{address}, where no DataNode of ours is known",
            "webhdfs_datanodes",
        )
        with pytest.raises(TimeoutError):
            elsewhere.accept()
    assert "CREATE" in {operation for operation, _ in proxy.seen}
