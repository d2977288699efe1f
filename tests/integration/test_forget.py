"""What was deleted on X is deleted here, comes back from nowhere, and nothing else is touched."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaProducer

import forget as forgetting
import forgotten_list
from archive_reader import Piece
from archive_rewrite import ArchiveRewrite
from elasticsearch_index import connect_elasticsearch
from forget import Done, Forget
from forgotten_list import ForgottenList
from forgotten_posts import Forgotten
from index_rebuild import IndexRebuild
from kafka_cluster.kafka_options import producer_options
from kafka_cluster.message import refused_line_headers
from kafka_cluster.script import UserError
from kafka_cluster.topics import admin_client
from namenode_proxy import Hook, NameNodeProxy
from pipeline import Pipeline, wait_until
from rebuild_letters import RebuildLetters
from sample import tweet_lines
from secret_posts import (
    SECRET,
    archived,
    carriers,
    files,
    hdfs,
    indexed,
    leave_what_nobody_reads,
    line,
    post,
    store,
)
from topic_guard import open_topic_guard

pytestmark = pytest.mark.long


def in_this_process(pipeline: Pipeline, posts: list[str], users: list[str]) -> Done:
    with admin_client(pipeline.settings) as admin:
        return Forget(pipeline.settings, connect_elasticsearch(pipeline.settings), admin).run(posts, users)


def rebuilt(pipeline: Pipeline, source: str) -> str:
    letters = RebuildLetters(pipeline.settings)
    try:
        with open_topic_guard(pipeline.settings) as guard:
            client = connect_elasticsearch(pipeline.settings)
            return IndexRebuild(pipeline.settings, client, guard, letters).run(source, drop_old=True)
    finally:
        letters.close()


@pytest.fixture
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no consumer runs there is none to wait for."""
    monkeypatch.setattr(forgetting, "SETTLE_SECONDS", 0.0)


@contextmanager
def streaming(pipeline: Pipeline, carrying: list[bytes]) -> Iterator[None]:
    """Meanwhile tweets come into the topic, and among them these again and again."""
    enough = threading.Event()

    def stream() -> None:
        while not enough.wait(0.1):
            pipeline.send([*tweet_lines(30), *carrying])

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def emptied(before: dict[tuple[int, int], bytes], after: dict[tuple[int, int], bytes]) -> int:
    """How many lines lost their tweet, and nothing but it; all others are as they were."""
    places = [place for place in before if before[place] != after[place]]
    for place in places:
        kept, was = json.loads(after[place]), json.loads(before[place])
        assert kept.pop("forgotten") and {"tweet", "value_base64"} & was.keys()
        assert kept == {name: was[name] for name in kept} and len(kept) == len(was) - 1
    return len(places)


def test_forgotten_while_consumers_run_and_nothing_brings_it_back(
    pipeline: Pipeline, settled_at_once: None
) -> None:
    deleted, gone_with_the_user = post(SECRET), post(SECRET, "99")
    secrets = [
        line(deleted), *carriers(deleted), line(gone_with_the_user), *carriers(gone_with_the_user),
        line(post(f"RT {SECRET}", referenced_tweets=[{"type": "retweeted", "id": deleted["id"]}])),
        json.dumps({"data": post(SECRET, "99")}, indent=1).encode(),  # kept in base64
    ]  # fmt: skip
    pipeline.send([*tweet_lines(300), *secrets, *tweet_lines(300)])
    assert pipeline.catch_up().exit_code == 0
    before = archived(pipeline)
    assert indexed(pipeline) == len(secrets) == 10
    by_user = in_this_process(pipeline, [], ["99"])
    assert (by_user.new_users, by_user.emptied, by_user.deleted, indexed(pipeline)) == (1, 5, 5, 5)
    (pipeline.folder / "ids.txt").write_text(f"# deleted on X\n{deleted['id']}  # why\n\n")
    leave_what_nobody_reads(pipeline)

    consumers = pipeline.start("consumer.py")
    with streaming(pipeline, [secrets[0], *secrets[4:6]]):
        by_id = pipeline.run("archive.py", "forget", "--ids", "ids.txt")
    assert by_id.returncode == 0 and "1 posts and 0 users are new on it; 1 and 1 in all" in by_id.stdout, (
        by_id
    )
    assert "retention.ms=604800000 (7 days)" in by_id.stdout and "-c retention.ms=MS" in by_id.stdout
    assert indexed(pipeline) == 0, "also what came meanwhile"
    consumers.terminate()
    assert consumers.wait(timeout=60) == 0, consumers.log.read_text()  # type: ignore[attr-defined]

    report = pipeline.catch_up()
    assert report.exit_code == 0 and report.forgotten == report.forgotten_in_hdfs > len(secrets), report
    assert f"forgotten: {report.forgotten:,} of these records" in str(report)
    assert emptied(before, archived(pipeline)) == len(secrets)
    assert not [path for path, content in files(pipeline).items() if SECRET.encode() in content]
    assert not hdfs(pipeline).list(f"{pipeline.settings.hdfs_root}/_rewriting")

    for source in ("kafka", "hdfs"):
        assert "are forgotten" in rebuilt(pipeline, source)
        assert indexed(pipeline) == 0, source
    done = pipeline.run("consumer.py", "--group", "elasticsearch", "--from-beginning", "--until-caught-up")
    assert done.returncode == 0 and f"{report.forgotten} forgotten" in done.stderr, done
    assert indexed(pipeline) == 0
    report = pipeline.audit()
    assert (report.exit_code, report.dead_letters) == (0, 0), report

    again = in_this_process(pipeline, [deleted["id"]], ["99"])
    assert (again.new_posts, again.new_users, again.deleted, again.emptied, again.files) == (0, 0, 0, 0, 0)
    traced = pipeline.run("audit.py", "trace", deleted["id"])
    assert traced.returncode == 0 and f"tweet {deleted['id']} was forgotten" in traced.stdout, traced
    assert "NOT THERE" not in traced.stdout and traced.stdout.count(", forgotten") > 1


def test_killed_at_each_step_it_is_finished_by_the_next_run(
    pipeline: Pipeline, settled_at_once: None
) -> None:
    deleted = post(SECRET)
    pipeline.send([*tweet_lines(100), line(deleted), *carriers(deleted), *tweet_lines(100)])
    assert pipeline.catch_up().exit_code == 0
    before = archived(pipeline)
    steps = [
        ("RENAME", "/_staging/", "lose request"),
        ("RENAME", "/_staging/", "lose answer"),
        ("RENAME", "/topic=", "lose answer"),  # seals
        ("CREATE", "/_rewriting/staged-", "lose answer"),
        ("RENAME", "/_rewriting/forget-", "lose request"),
        ("RENAME", "/_rewriting/forget-", "lose answer"),
    ]  # fmt: skip
    for operation, path, fate in steps:
        killed_at(pipeline, operation, path, fate, deleted["id"])
        after = archived(pipeline)
        assert after.keys() == before.keys(), (operation, path, fate)
        changed = [place for place in before if after[place] != before[place]]
        assert all(b'"forgotten":"' in after[place] and SECRET.encode() in before[place] for place in changed)
        assert len(changed) <= 4
    report = pipeline.audit()
    assert report.exit_code == 1 and "run archive.py forget again" in str(report), (
        "the audit sees what is left"
    )
    done = in_this_process(pipeline, [deleted["id"]], [])
    assert done.new_posts == 0 and 0 < done.emptied <= 4
    report = pipeline.audit()
    assert (report.exit_code, report.forgotten, report.forgotten_in_hdfs, indexed(pipeline)) == (0, 4, 4, 0)
    assert not [path for path, content in files(pipeline).items() if SECRET.encode() in content]
    assert not hdfs(pipeline).list(f"{pipeline.settings.hdfs_root}/_rewriting")


def killed_at(pipeline: Pipeline, operation: str, path: str, fate: str, id_: str) -> None:
    """A run dies while its first request of this kind is on the way, which takes effect or not."""
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    try:
        script = pipeline.folder / "id.txt"
        script.write_text(id_)
        run = pipeline.start("archive.py", "forget", "--ids", str(script), webhdfs_url=proxy.url)
        proxy.hook = killing(run, operation, path, fate)
        assert run.wait(timeout=60) == -9, (operation, path, run.log.read_text())  # type: ignore[attr-defined]
    finally:
        proxy.close()


def killing(process: "subprocess.Popen[str]", operation: str, path: str, fate: str) -> Hook:
    def hook(seen: str, where: str) -> str:
        if seen == operation and path in where and process.poll() is None:
            process.kill()
            return fate
        return "pass"

    return hook


def test_of_two_runs_at_once_the_later_does_the_work_of_both(
    pipeline: Pipeline, settled_at_once: None
) -> None:
    """The first has written a file anew, with the post of the second in it, and not yet put it in its place."""
    first, second = post(f"{SECRET} first"), post(f"{SECRET} second")
    store(pipeline, [*tweet_lines(50), line(first), line(second)])
    before = archived(pipeline)
    later: list[Done] = []

    class Overtaken(ArchiveRewrite):
        def _stage(self, piece: Piece, forgotten: Forgotten) -> str:
            staged = super()._stage(piece, forgotten)
            monkey.undo()
            later.append(in_this_process(pipeline, [second["id"]], []))
            return staged

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(forgetting, "ArchiveRewrite", Overtaken)
        with pytest.raises(UserError, match="has begun, and ended this forget"):
            in_this_process(pipeline, [first["id"]], [])
    assert [done.emptied for done in later] == [2]
    after = archived(pipeline)
    assert len([place for place in before if after[place] != before[place]]) == 2
    assert not [path for path, content in files(pipeline).items() if SECRET.encode() in content]


def test_what_group_b_has_not_stored_yet_is_gone_and_never_gets_there(
    pipeline: Pipeline, settled_at_once: None
) -> None:
    """The records carry the post only: Elasticsearch alone can't tell; Kafka, behind the archive's end, can."""
    deleted = post(SECRET, "99")
    pipeline.send([*tweet_lines(20), *carriers(deleted)])
    done = pipeline.run("consumer.py", "--group", "elasticsearch", "--until-caught-up")
    assert done.returncode == 0 and indexed(pipeline) == 3, done
    forgotten = in_this_process(pipeline, [], ["99"])
    assert (forgotten.deleted, forgotten.emptied, indexed(pipeline)) == (3, 0, 0)
    report = pipeline.catch_up()
    assert (report.exit_code, report.forgotten, report.forgotten_in_hdfs) == (0, 3, 3), report
    assert not [path for path, content in files(pipeline).items() if SECRET.encode() in content]


def test_the_list_of_many_runs_becomes_one_file_and_nothing_is_lost(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgotten_list, "FILES_TO_JOIN", 4)
    writer, reader = ForgottenList(pipeline.settings), ForgottenList(pipeline.settings)
    assert not reader.recent()
    for number in range(9):
        assert writer.add([str(number), "0"], ["7"]) == ([str(number)], [] if number else ["7"])
        assert reader.now().posts.keys() == set(map(str, range(number + 1)))
        assert reader.now().users.keys() == {"7"}
        assert len(hdfs(pipeline).list(writer.folder)) < 4


def test_a_dead_letter_of_it_is_not_replayed(pipeline: Pipeline, settled_at_once: None) -> None:
    refused = post(SECRET)
    pipeline.send(tweet_lines(3))
    producer = KafkaProducer(**producer_options(pipeline.settings))
    headers = refused_line_headers("no tweet: thought the old one", "replay", 7, len(line(refused)))
    producer.send(pipeline.settings.dead_letter_topic, line(refused), headers=headers).get(timeout=30)
    producer.close()
    in_this_process(pipeline, [refused["id"]], [])
    done = pipeline.run("dead_letters.py", "replay")
    assert done.returncode == 0 and "1 are forgotten, and stay so" in done.stdout, done
    assert len(pipeline.topic_records()) == 3


def test_group_a_reads_nothing_again_before_it_has_seen_the_list(
    pipeline: Pipeline, settled_at_once: None
) -> None:
    """A new group, without HDFS, indexes nothing; what was seen serves while HDFS is away."""
    deleted = post(SECRET)
    pipeline.send([line(deleted)])
    in_this_process(pipeline, [deleted["id"]], [])
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    try:
        proxy.hook = lambda *_: "lose request"
        consumer = pipeline.start("consumer.py", "--group", "elasticsearch", webhdfs_url=proxy.url)
        log = consumer.log  # type: ignore[attr-defined]
        wait_until(lambda: "starts anew" in log.read_text())
        assert indexed(pipeline) == 0
        proxy.hook = lambda *_: "pass"
        pipeline.send(tweet_lines(10))
        wait_until(lambda: indexed(pipeline, "kafka") == 10)
        proxy.hook = lambda *_: "lose request"
        time.sleep(2)
        pipeline.send([*tweet_lines(10), line(deleted)])
        wait_until(lambda: indexed(pipeline, "kafka") == 20)
        assert indexed(pipeline) == 0
    finally:
        proxy.close()
