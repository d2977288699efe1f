"""Group B when HDFS answers late, not at all, or twice; when its process dies between any two steps."""

from collections.abc import Iterator

import pytest

from namenode_proxy import NameNodeProxy, pause, times
from pipeline import Pipeline, wait_until
from sample import tweet_lines


@pytest.fixture
def proxy(pipeline: Pipeline) -> Iterator[NameNodeProxy]:
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    pipeline.env["webhdfs_url"] = proxy.url
    yield proxy
    proxy.close()


STEPS = ("LISTSTATUS", "MKDIRS", "RENAME", "CREATE", "CONCAT")


@pytest.mark.parametrize("fate", ["lose request", "lose answer", "twice"])
def test_requests_that_are_lost_unanswered_or_doubled(
    pipeline: Pipeline, proxy: NameNodeProxy, fate: str
) -> None:
    hooks = [times(step, fate, count=4, every=5) for step in STEPS]

    def hook(operation: str, path: str) -> str:
        fates = [hook(operation, path) for hook in hooks]
        return next((fate for fate in fates if fate != "pass"), "pass")

    proxy.hook = hook
    consumer = pipeline.start("consumer.py", "--group", "hdfs", hdfs_flush_seconds="0.2")
    for _ in range(12):
        pipeline.send(tweet_lines(120))
    wait_until(lambda: pipeline.audit().lag_hdfs == 0, 90)
    consumer.terminate()
    consumer.wait(timeout=30)
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 1_440), report


@pytest.mark.parametrize("step", ["MKDIRS", "LISTSTATUS", "RENAME", "CREATE"])
@pytest.mark.parametrize("request_too", [False, True], ids=["before it", "after it"])
def test_killed_in_a_step(pipeline: Pipeline, proxy: NameNodeProxy, step: str, request_too: bool) -> None:
    """The process dies while its request is on the way: the request takes effect, or not, and none is the wiser."""
    pipeline.send(tweet_lines(400))
    consumer = pipeline.start("consumer.py", "--group", "hdfs", hdfs_flush_seconds="0.2")
    skip = [3]  # not the first of its kind: claims, seals and flushes are under way by then

    def hook(operation: str, path: str) -> str:
        if operation == step and consumer.poll() is None:
            skip[0] -= 1
            if skip[0] < 0:
                consumer.kill()
                return "lose answer" if request_too else "lose request"
        return "pass"

    proxy.hook = hook
    consumer.wait(timeout=60)
    pipeline.send(tweet_lines(100))
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 500), report


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


def test_pieces_are_joined_and_files_hold_whole_lines(pipeline: Pipeline, proxy: NameNodeProxy) -> None:
    consumer = pipeline.start("consumer.py", "--group", "hdfs", hdfs_flush_seconds="0.05")
    for _ in range(90):
        pipeline.send(tweet_lines(30))
    wait_until(lambda: any(operation == "CONCAT" for operation, _ in proxy.seen))
    wait_until(lambda: pipeline.audit().lag_hdfs == 0)
    consumer.terminate()
    consumer.wait(timeout=30)
    report = pipeline.catch_up()
    assert (report.exit_code, report.stored) == (0, 2_700), report
