"""A new index takes the old one's place while the stream goes on, and nothing is missing afterwards."""

import re
import signal
import threading

import pytest

from elasticsearch_index import connect_elasticsearch
from index_rebuild import IndexRebuild
from kafka_cluster.script import UserError
from pipeline import Pipeline, wait_until
from rebuild_letters import RebuildLetters
from sample import POISON, tweet_lines
from topic_guard import open_topic_guard

pytestmark = pytest.mark.long


def indices(pipeline: Pipeline) -> dict[str, int]:
    """Index -> tweets in it."""
    client = connect_elasticsearch(pipeline.settings)
    names = f"{pipeline.settings.elasticsearch_alias}-*"
    client.indices.refresh(index=names)
    return {name[-6:]: client.count(index=name)["count"] for name in client.indices.get(index=names)}


def behind(pipeline: Pipeline) -> list[str]:
    client = connect_elasticsearch(pipeline.settings)
    return [name[-6:] for name in client.indices.get_alias(name=pipeline.settings.elasticsearch_alias)]


def run_rebuild(pipeline: Pipeline, kind: type[IndexRebuild] = IndexRebuild, source: str = "kafka") -> str:
    """In this process, so that a step can be interrupted."""
    client = connect_elasticsearch(pipeline.settings)
    with open_topic_guard(pipeline.settings) as guard:
        letters = RebuildLetters(pipeline.settings)
        try:
            return kind(pipeline.settings, client, guard, letters).run(source, False)
        finally:
            letters.close()


@pytest.mark.parametrize("source", ["kafka", "hdfs"])
def test_a_rebuild_under_a_live_stream(pipeline: Pipeline, source: str) -> None:
    pipeline.send([*tweet_lines(4_000), *POISON.values()])
    assert pipeline.catch_up().exit_code == 0
    consumers = pipeline.start("consumer.py")
    enough = threading.Event()

    def stream() -> None:
        while not enough.wait(0.1):
            pipeline.send(tweet_lines(60))

    streaming = threading.Thread(target=stream)
    streaming.start()
    try:
        done = pipeline.run("archive.py", "rebuild", "--from", source)
    finally:
        enough.set()
        streaming.join()
    assert done.returncode == 0, done.stderr
    consumers.terminate()
    assert consumers.wait(timeout=60) == 0, consumers.log.read_text()  # type: ignore[attr-defined]
    report = pipeline.catch_up()
    assert (report.exit_code, report.dead_letters, report.foreign_ids) == (0, len(POISON), 0), report
    assert behind(pipeline) == ["000002"]
    assert indices(pipeline)["000002"] == report.ids > 4_000
    letters = pipeline.topic_records(pipeline.settings.dead_letter_topic)
    assert len(letters) == len(POISON), "what was a dead letter before is not written again"


def test_hdfs_has_what_kafka_has_forgotten(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(500))
    assert pipeline.catch_up().exit_code == 0
    assert pipeline.forget(keep=10) > 400
    pipeline.send(tweet_lines(100))
    report = pipeline.catch_up()
    assert (report.exit_code, report.lost) == (0, []), report

    less = pipeline.run("archive.py", "rebuild", "--from", "kafka", "--drop-old")
    assert less.returncode == 0 and "Kafka has forgotten offsets 0 to" in less.stderr, less.stderr
    assert "is kept all the same: it has" in less.stdout
    assert indices(pipeline)["000002"] == pipeline.audit().ids < 600
    assert pipeline.audit().exit_code == 0

    whole = pipeline.run("archive.py", "rebuild", "--from", "hdfs", "--drop-old")
    assert whole.returncode == 0 and "is deleted" in whole.stdout, whole
    assert indices(pipeline) == {"000001": 600, "000003": 600}
    report = pipeline.audit()
    assert (report.exit_code, report.foreign_ids) == (0, 600 - report.ids), report


def test_an_index_of_what_kafka_has_forgotten_is_kept_although_more_came_since(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(500))
    assert pipeline.catch_up().exit_code == 0
    assert pipeline.forget(keep=10) > 400
    pipeline.send(tweet_lines(1_000))
    done = pipeline.run("archive.py", "rebuild", "--from", "kafka", "--drop-old")
    assert done.returncode == 0 and "it may have what Kafka has forgotten" in done.stdout, done
    found = indices(pipeline)
    assert found["000001"] == 500 < 1_000 < found["000002"]


def test_a_topic_made_anew_is_rebuilt_with_the_one_before(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(50))
    assert pipeline.catch_up().exit_code == 0
    pipeline.make_topic_anew()
    pipeline.send(tweet_lines(30))
    assert pipeline.catch_up().exit_code == 0
    done = pipeline.run("archive.py", "rebuild", "--from", "hdfs")
    assert done.returncode == 0 and indices(pipeline)["000002"] == 80, done


def test_what_the_old_index_took_at_the_last_moment_is_in_the_new_one(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(100))
    assert pipeline.catch_up().exit_code == 0
    late = late_tweets(pipeline, then=None)
    assert "is kept" in run_rebuild(pipeline, late)
    report = pipeline.catch_up()
    assert (report.exit_code, report.indexed) == (0, 150), report
    assert indices(pipeline) == {"000001": 150, "000002": 150}


def test_a_rebuild_killed_right_after_the_switch_is_finished_by_the_next(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(100))
    assert pipeline.catch_up().exit_code == 0
    with pytest.raises(KeyboardInterrupt):
        run_rebuild(pipeline, late_tweets(pipeline, then=KeyboardInterrupt))
    assert behind(pipeline) == ["000002"]
    assert len(pipeline.audit().missing_in_elasticsearch) == 50, "the audit sees what is missing"
    done = pipeline.run("archive.py", "rebuild", "--from", "hdfs")
    assert "000002 is complete now" in done.stdout, done
    assert pipeline.audit().exit_code == 0
    again = pipeline.run("archive.py", "rebuild", "--from", "hdfs", "--drop-old")
    assert again.returncode == 0 and behind(pipeline) == ["000003"], again
    assert pipeline.audit().exit_code == 0


def late_tweets(pipeline: Pipeline, then: type[BaseException] | None) -> type[IndexRebuild]:
    """A rebuild before whose switch group A puts 50 tweets into the old index, and that may be ended after it."""

    class Late(IndexRebuild):
        def _switch(self, old: str, new: str) -> None:
            assert indices(pipeline)["000002"] == 100, "it is filled before the switch"
            pipeline.send(tweet_lines(50))
            done = pipeline.run("consumer.py", "--until-caught-up")
            assert done.returncode == 0, done.stderr
            super()._switch(old, new)
            if then:
                raise then

    return Late


def test_what_a_killed_rebuild_left_is_removed_by_the_next(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(20_000))
    assert pipeline.catch_up().exit_code == 0
    killed = pipeline.start("archive.py", "rebuild", "--from", "kafka")
    wait_until(lambda: "is filled from kafka" in killed.log.read_text())  # type: ignore[attr-defined]
    wait_until(lambda: indices(pipeline).get("000002", 0) > 0)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert behind(pipeline) == ["000001"] and pipeline.audit().exit_code == 0
    done = pipeline.run("archive.py", "rebuild", "--from", "kafka")
    assert re.search(r"-000002 is removed, which an earlier run left", done.stderr), done.stderr
    assert behind(pipeline) == ["000002"] and pipeline.audit().exit_code == 0


def test_a_rebuild_that_was_overtaken_switches_nothing(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(100))
    assert pipeline.catch_up().exit_code == 0

    class Overtaken(IndexRebuild):
        def _switch(self, old: str, new: str) -> None:
            assert pipeline.run("archive.py", "rebuild", "--from", "kafka").returncode == 0
            super()._switch(old, new)

    with pytest.raises(UserError, match="another rebuild"):
        run_rebuild(pipeline, Overtaken)
    assert behind(pipeline) == ["000002"] and pipeline.audit().exit_code == 0


def test_a_rebuild_whose_index_is_gone_ends_instead_of_waiting(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(100))
    assert pipeline.catch_up().exit_code == 0

    class Robbed(IndexRebuild):
        def _read_on(self) -> None:
            connect_elasticsearch(pipeline.settings).indices.delete(
                index=f"{pipeline.settings.elasticsearch_alias}-000002"
            )
            super()._read_on()

    with pytest.raises(UserError, match="another rebuild"):
        run_rebuild(pipeline, Robbed)
    assert behind(pipeline) == ["000001"] and pipeline.audit().exit_code == 0
