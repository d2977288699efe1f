"""Events are differences, few kinds of reasons, and nobody waits for them."""

import json
import time
from typing import Any

import pytest
from kafka import TopicPartition

import producer_events
from group_events import newly_stored
from ingest import Counts
from kafka_cluster.pipeline_events import (
    INDEX_FILE,
    MAX_WAITING,
    PipelineEvents,
    Since,
    events_template,
    reason_class,
)
from kafka_cluster.settings import Settings
from producer_events import ProducerEvents
from stream_gap import Gap

TP = TopicPartition("tweets", 0)
NOWHERE = Settings(elasticsearch_url="http://127.0.0.1:9", elasticsearch_password="x")
FIELDS = json.loads(INDEX_FILE.read_text(encoding="utf-8"))["mappings"]["properties"]


class Kept:
    """Keeps the events instead of writing them."""

    def __init__(self, _: Settings) -> None:
        self.events: list[dict[str, Any]] = []

    def put(self, source: str, event: str, **fields: Any) -> None:
        assert fields.keys() <= FIELDS.keys(), "every field is in the mapping"
        self.events.append({"source": source, "event": event} | fields)

    def close(self, seconds: float) -> None:
        pass


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    made = Kept(NOWHERE)
    monkeypatch.setattr(producer_events, "PipelineEvents", lambda _: made)
    return made.events


class Writer:
    acknowledged = 0
    lost = 0


def test_totals_become_differences() -> None:
    since = Since()
    assert since.added({"a": 3, "b": 0}) == {"a": 3}
    assert since.added({"a": 5, "b": 0, "c": 1}) == {"a": 2, "c": 1}
    assert since.added({"a": 5}) == {}


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("no JSON: unexpected character: line 1 column 2 (char 1)", "no JSON"),
        ("too large: 1,200,000 bytes, more than the 1,000,000 that the topic takes", "too large"),
        ("400 document_parsing_exception: [1:24] failed to parse field", "400 document_parsing_exception"),
        ("no value", "no value"),
    ],
)
def test_reasons_are_of_few_kinds(reason: str, kind: str) -> None:
    assert reason_class(reason) == kind


def test_the_producer_tells_what_came_since_the_last_time(kept: list[dict[str, Any]]) -> None:
    counts, writer = Counts(), Writer()
    events = ProducerEvents(NOWHERE, writer)  # type: ignore[arg-type]
    events.tell(counts)
    assert kept == [], "nothing is told before five seconds are over"
    counts.tweets, counts.redelivered, counts.reasons["no JSON"], writer.acknowledged = 10, 2, 1, 9
    writer.lost = 3
    events.tell_rest(counts)
    events.close()
    assert kept == [
        {
            "source": "producer",
            "event": "counts",
            "received": 10,
            "acknowledged": 9,
            "redelivered": 2,
            "lost": 3,
        },
        {"source": "producer", "event": "dead_letters", "dead_letters": 1, "reason": "no JSON"},
    ]


def test_each_gap_is_told_once_when_it_is_over(
    kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_events, "EVERY_SECONDS", 0)
    gaps = [Gap("2026-11-23T09:15:00.000Z", "the stream was closed", last_id="17")]
    events = ProducerEvents(NOWHERE, Writer(), gaps)  # type: ignore[arg-type]
    events.tell(Counts())
    assert kept == []
    gaps[0].until, gaps[0].filled = "2026-11-23T09:15:12.500Z", None
    events.tell(Counts())
    assert kept == [], "it may still be filled"
    gaps[0].filled = True
    gaps.append(Gap("2026-11-23T10:00:00.000Z", "ConnectionError"))
    for _ in range(2):
        events.tell(Counts())
    assert kept == [{
        "source": "producer", "event": "gap", "reason": "the stream was closed", "gap_seconds": 12.5,
        "gap_from": gaps[0].since, "gap_to": gaps[0].until, "last_id": "17", "filled": True,
    }]  # fmt: skip
    events.tell_rest(Counts())
    events.close()
    assert [each["reason"] for each in kept] == ["the stream was closed", "ConnectionError"]


def test_what_nobody_takes_is_dropped_and_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    events = PipelineEvents(NOWHERE)
    started = time.monotonic()
    for number in range(MAX_WAITING * 3):
        events.put("producer", "counts", received=number)
    events.close()
    assert time.monotonic() - started < 2.5
    assert events.dropped == MAX_WAITING * 3
    ours = [record.message for record in caplog.records if record.name.startswith("kafka_cluster")]
    assert len(ours) == 2 and "going on without" in ours[0] and ours[1].startswith("3000 figures")


def test_without_a_password_there_is_nobody_to_write_to() -> None:
    events = PipelineEvents(Settings())
    events.put("producer", "counts", received=1)
    events.close()
    assert events.dropped == 0


def test_the_template_is_above_that_of_the_tweets_and_has_no_field_by_guess() -> None:
    body = events_template("tweets-events")
    assert body["index_patterns"] == ["tweets-events-*"] and body["priority"] > 500 + 201
    assert body["template"]["mappings"]["dynamic"] is False


@pytest.mark.parametrize(
    ("highest", "reached", "start", "new"),
    [
        (None, 500, 0, 0),
        (500, 800, 0, 300),
        (800, 100, 0, 0),
        (0, 1_000_000, 1_000_000, 0),
        (0, 1_100, 1_000, 100),
    ],
)
def test_what_retention_has_deleted_does_not_count_as_stored(
    highest: int | None, reached: int, start: int, new: int
) -> None:
    assert newly_stored({} if highest is None else {TP: highest}, {TP: reached}, {TP: start}) == new
