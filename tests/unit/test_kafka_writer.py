"""What the writer does where kafka-python's producer fails in ways that no broker can be asked to cause."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, TopicAuthorizationFailedError

import kafka_writer
from batching_producer import Settled
from kafka_cluster.message import MAX_RECORD_BYTES
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import ForbiddenTopic
from kafka_writer import KafkaWriter, Outgoing


class Producer:
    """Stands in for BatchingProducer; `behave` says what happens to a value: ack, fail, hang, raise, forbid."""

    made: list["Producer"]
    behave: Callable[["Producer", bytes], str]
    settled: Settled

    def __init__(self, **_: Any) -> None:
        type(self).made.append(self)
        self.sent: list[bytes] = []

    def append(self, topic: str, value: bytes, key: bytes | None, headers: Any, number: int) -> None:
        self.sent.append(value)
        how = type(self).behave(self, value)
        if how == "raise":
            raise KafkaTimeoutError("no metadata")
        if how == "forbid":
            self.settled([number], TopicAuthorizationFailedError(topic))
            return
        if how != "hang":
            self.settled([number], MessageSizeTooLargeError() if how == "fail" else None)

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def close(self, timeout: float) -> None:
        pass


def writer_of(behave: Callable[[Producer, bytes], str], **options: Any) -> tuple[KafkaWriter, list[Producer]]:
    made: list[Producer] = []
    kind = type("Kind", (Producer,), {"made": made, "behave": staticmethod(behave)})
    return KafkaWriter(Settings(), kind, **options), made


def record(number: int, size: int = 0) -> Outgoing:
    return Outgoing("tweets", b"%d" % number, b"value %d" % number + b"x" * size, [])


@pytest.mark.parametrize("trouble", ["fail", "raise", "hang"])
def test_after_any_failure_a_new_producer_sends_what_has_no_answer_in_order(trouble: str) -> None:
    def behave(producer: Producer, value: bytes) -> str:
        first = len(made) <= 1
        return "ack" if not first or value < b"value 3" else trouble

    made: list[Producer] = []
    writer, made = writer_of(behave, watchdog_seconds=0.0 if trouble == "hang" else 60)
    for number in range(6):
        writer.send(record(number))
    assert writer.flush(5) == 0
    assert writer.acknowledged == 6
    again = [value for producer in made[1:] for value in producer.sent]
    assert again[:3] == [b"value 3", b"value 4", b"value 5"]
    assert b"value 0" not in again


def test_bytes_in_flight_are_bounded() -> None:
    writer, made = writer_of(lambda *_: "hang", max_in_flight_bytes=5_000, watchdog_seconds=0.2)
    writer.send(record(1, 4_000))
    assert writer.has_room
    writer.send(record(2, 4_000))
    assert not writer.has_room and not writer.away
    type(made[0]).behave = staticmethod(lambda *_: "ack")  # type: ignore[assignment]
    assert writer.flush(2) == 0 and len(made) == 2 and writer.has_room, "a new producer sent both"


def test_brokers_that_are_away_for_long_end_nothing() -> None:
    away = [True]
    writer, made = writer_of(lambda producer, _: "fail" if producer is made[0] else "ack")
    make_producer = writer._make_producer

    def broken(**options: Any) -> Any:
        if away[0]:
            raise UserError("no Kafka broker answers")
        return make_producer(**options)

    writer._make_producer = broken
    writer.send(record(1))
    assert writer.flush(1.5) == 1 and writer.away
    writer.send(record(2))
    away[0] = False
    assert writer.flush(5) == 0 and not writer.away
    assert made[1].sent == [b"value 1", b"value 2"]


def first_fails(error: Exception) -> tuple[KafkaWriter, list[Producer], Callable[..., Any]]:
    """A writer whose first producer fails; the next can't be made, because of an error, once."""
    writer, made = writer_of(lambda producer, _: "fail" if producer is made[0] else "ack")
    make_producer, errors = writer._make_producer, [error]

    def once(**options: Any) -> Any:
        if errors:
            raise errors.pop()
        return make_producer(**options)

    return writer, made, once


def test_no_error_of_a_new_producer_keeps_it_from_being_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    writer, made, once = first_fails(OSError(24, "Too many open files"))
    writer._make_producer = once
    writer.send(record(1))
    assert writer.flush(5) == 0 and made[1].sent == [b"value 1"]
    assert "Too many open files" in caplog.text


def test_a_thread_that_can_not_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: Thread) -> None:
        starts.pop()(thread)

    def none_left(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    starts = [Thread.start, none_left]
    writer, made = writer_of(lambda producer, _: "fail" if producer is made[0] else "ack")
    monkeypatch.setattr(kafka_writer, "Thread", type("Scarce", (Thread,), {"start": start}))
    writer.send(record(1))
    assert writer.flush(5) == 0 and made[1].sent == [b"value 1"]


def test_what_kafka_does_not_let_us_write_ends_it_and_is_said() -> None:
    writer, _ = writer_of(lambda *_: "forbid")
    writer.send(record(1))
    with pytest.raises(
        ForbiddenTopic, match=r"TopicAuthorizationFailed.* write to tweets and tweets\.dead-letter"
    ):
        writer.flush(3)
    assert writer.in_flight == 1 and writer.away


def test_a_new_producer_that_kafka_refuses_ends_it_too() -> None:
    writer, _, once = first_fails(TopicAuthorizationFailedError("tweets"))
    writer._make_producer = once
    writer.send(record(1))
    with pytest.raises(ForbiddenTopic):
        writer.flush(3)


def test_a_record_that_would_poison_the_producer_is_not_sent() -> None:
    writer, made = writer_of(lambda *_: "ack")
    with pytest.raises(ValueError, match="can't be sent"):
        writer.send(record(1, 3 * MAX_RECORD_BYTES))
    assert not made[0].sent


def test_what_is_not_acknowledged_is_counted() -> None:
    writer, _ = writer_of(lambda *_: "hang")
    writer.send(record(1))
    assert writer.flush(0.3) == 1
