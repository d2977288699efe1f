"""What could not be delivered is seen, and is delivered after a fix, once."""

from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

import dead_letter_writer
from dead_letter_topic import dead_letters
from elasticsearch_index import connect_elasticsearch
from kafka_cluster.kafka_options import producer_options
from kafka_cluster.message import refused_line_headers
from pipeline import Pipeline, brokers_away, wait_until
from sample import POISON, id_of, tweet_lines


def mend_index(pipeline: Pipeline) -> None:
    connect_elasticsearch(pipeline.settings).indices.put_mapping(
        index=pipeline.settings.elasticsearch_alias,
        properties={"lang": {"type": "long", "ignore_malformed": True}},
    )


def test_dead_letters_are_replayed_after_a_fix_and_nothing_doubles(pipeline: Pipeline) -> None:
    tweets = tweet_lines(40)
    pipeline.make_refusing_index()
    pipeline.send([*tweets, tweets[3], POISON["no id"]])
    report = pipeline.catch_up()
    assert (report.exit_code, report.dead_letters, report.indexed, report.stored) == (0, 42, 0, 42), report
    listed = pipeline.run("dead_letters.py", "list")
    assert "400 document_parsing_exception" in listed.stdout and "data.id is not a string" in listed.stdout
    traced = pipeline.run("audit.py", "trace", id_of(tweets[0])).stdout
    assert "dead letter: 400 document_parsing" in traced, traced

    before = pipeline.run("dead_letters.py", "replay")
    assert before.returncode == 1 and "0 indexed, 0 were in Elasticsearch already, 42 are" in before.stdout

    mend_index(pipeline)
    mended = pipeline.run("dead_letters.py", "replay")
    assert mended.returncode == 1, "the one without an id is refused still"
    assert "40 indexed, 1 were in Elasticsearch already, 1 are refused still" in mended.stdout, mended
    again = pipeline.run("dead_letters.py", "replay", "--reason", "document_parsing")
    assert again.returncode == 0 and "0 indexed, 41 were in Elasticsearch already, 0" in again.stdout

    report = pipeline.catch_up()
    assert (report.exit_code, report.replayed, report.foreign_ids, report.stored) == (0, 40, 0, 42), report
    assert len(pipeline.topic_records(pipeline.settings.dead_letter_topic)) == 42, "none was written again"


def test_a_line_that_the_producer_refused_goes_into_the_topic_once(pipeline: Pipeline) -> None:
    """As an older producer would have: the line is a tweet, and the present one takes it."""
    pipeline.send(tweet_lines(5))
    refused, cut = tweet_lines(2)
    producer = KafkaProducer(**producer_options(pipeline.settings))
    for line, size in ((refused, len(refused)), (cut[:50], len(cut)), (b"no tweet", 8)):
        headers = refused_line_headers("no tweet: thought the old one", "replay", 7, size)
        producer.send(pipeline.settings.dead_letter_topic, line, headers=headers).get(timeout=30)
    producer.close()

    first = pipeline.run("dead_letters.py", "replay")
    assert "1 indexed, 0 were" in first.stdout and "1 lines that a producer had refused" in first.stdout, (
        first
    )
    second = pipeline.run("dead_letters.py", "replay")
    assert "0 indexed, 1 were" in second.stdout and "2 are refused still" in second.stdout, second
    report = pipeline.catch_up()
    assert (report.exit_code, report.records, report.indexed, report.stored) == (0, 6, 6, 6), report
    assert pipeline.topic_values().count(refused) == 1
    assert pipeline.run("dead_letters.py", "replay").stdout == second.stdout


def test_what_is_shown_can_do_nothing_to_a_terminal(pipeline: Pipeline) -> None:
    pipeline.send([b"\x1b]0;owned\x07 \x9b31m \xe2\x80\xae ok", "카프카 {".encode(), b"x" * 100_000])
    assert pipeline.catch_up().exit_code == 0
    done = pipeline.run("dead_letters.py", "show", "--limit", "3")
    assert done.returncode == 0, done.stderr
    assert all(char.isprintable() or char == "\n" for char in done.stdout)
    assert "카프카" in done.stdout and "100,000 bytes" in done.stdout and "\\x1b]0;owned" in done.stdout
    assert "partition" in done.stdout and len(done.stdout) < 3_000
    none = pipeline.run("dead_letters.py", "show", "--reason", "no such reason")
    assert (none.returncode, none.stdout) == (0, "")


def test_a_dead_letter_that_brokers_do_not_take_is_an_error_and_goes_when_they_are_back(
    cluster: Any, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no offset behind it is committed; the group comes to the record again, and writes it again."""
    monkeypatch.setattr(dead_letter_writer, "ACKNOWLEDGE_SECONDS", 3)
    pipeline.send([POISON["no id"], POISON["no id"]])
    first, second = pipeline.topic_records()
    writer = dead_letter_writer.DeadLetterWriter(pipeline.settings, "a group", "an id")
    writer([(first, "before")])
    with brokers_away(cluster), pytest.raises(KafkaError):
        writer([(second, "meanwhile")])
    writer([(second, "afterwards")])
    writer.close()
    found = [(letter.reason, letter.record.value) for letter in dead_letters(pipeline.settings)]
    assert [reason for reason, _ in found] in (["before", "afterwards"], ["before", "meanwhile"])
    assert all(value == POISON["no id"] for _, value in found)


@pytest.mark.long
def test_an_alias_without_a_write_index_makes_no_tweet_a_dead_letter(pipeline: Pipeline) -> None:
    """An operator's slip: what comes meanwhile waits, and goes on once it is undone."""
    pipeline.send(tweet_lines(5))
    assert pipeline.catch_up().indexed == 5
    indices, alias = connect_elasticsearch(pipeline.settings).indices, pipeline.settings.elasticsearch_alias
    indices.create(index=f"{alias}-000002")
    for number in (1, 2):
        indices.put_alias(index=f"{alias}-00000{number}", name=alias, is_write_index=False)
    consumer = pipeline.start("consumer.py")
    pipeline.send(tweet_lines(5))
    wait_until(lambda: "400 illegal_argument_exception; " in consumer.log.read_text())
    indices.put_alias(index=f"{alias}-000001", name=alias, is_write_index=True)
    wait_until(lambda: pipeline.audit().indexed == 10)
    consumer.terminate()
    assert consumer.wait(timeout=30) == 0, consumer.log.read_text()
    report = pipeline.audit()
    assert (report.exit_code, report.dead_letters, report.indexed) == (0, 0, 10), report
