"""Writes records to Kafka until every one is acknowledged, around what kafka-python's producer does not do.

kafka-python 3.0.12 has no bound for what it buffers; after a batch that expires it may hang for good, and after a
record that is refused it refuses every later one. So: bytes in flight are bounded here, every future is followed, a
watchdog looks for those that never resolve, and after any failure a new KafkaProducer sends again, in order, what has
no answer yet. What was written by the failed one too is twice in the topic, and once in Elasticsearch.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Condition
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from kafka_cluster.kafka_options import MAX_REQUEST_BYTES, producer_options
from kafka_cluster.message import Headers, TweetRecord
from kafka_cluster.settings import Settings
from kafka_cluster.topics import raise_if_topic_is_gone

log = logging.getLogger(__name__)

MAX_IN_FLIGHT_BYTES = 32 << 20
RECORD_OVERHEAD_BYTES = 300  # key, headers, and what Kafka adds
DELIVERY_SECONDS = 30
"""Longer than the election of a new leader takes; shorter than people like to wait for two dead brokers."""
WATCHDOG_SECONDS = DELIVERY_SECONDS + 15
LONGEST_PAUSE_SECONDS = 5.0
NO_METADATA = "Failed to update metadata"
"""What kafka-python says where the topic is not there, and where no broker is reached."""


@dataclass(slots=True)
class _Entry:
    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    sent_at: float = 0.0

    @property
    def size(self) -> int:
        return len(self.value) + RECORD_OVERHEAD_BYTES


class KafkaWriter:
    """Sends records; used by one thread. `acknowledged` counts those that all in-sync replicas have."""

    def __init__(
        self, settings: Settings, make_producer: Callable[..., Any] = KafkaProducer,
        max_in_flight_bytes: int = MAX_IN_FLIGHT_BYTES, watchdog_seconds: float = WATCHDOG_SECONDS,
    ) -> None:  # fmt: skip
        self._settings, self._make_producer = settings, make_producer
        self._max_in_flight, self._watchdog_seconds = max_in_flight_bytes, watchdog_seconds
        self._pending: dict[int, _Entry] = {}  # in the order of sending
        self._changed = Condition()
        self._number = self._generation = 0
        self._failure: str | None = None
        self._pause, self._try_at = 0.5, 0.0
        self._producer: Any = self._new_producer()
        self.in_flight_bytes = self.acknowledged = self.resent = 0

    def send(self, record: TweetRecord) -> None:
        """Send a tweet; waits while too much is in flight."""
        self._send(_Entry(self._settings.topic, record.key, record.value, record.headers))

    def send_dead_letter(self, value: bytes, headers: Headers) -> None:
        """Send a line that is no tweet, with its reason in the headers."""
        self._send(_Entry(self._settings.dead_letter_topic, None, value, headers))

    def tend(self) -> None:
        """Look after what is in flight: replace a failed producer. Call it now and then while nothing is sent.

        Raises MissingTopic where somebody has deleted the topic.
        """
        failure = self._failure or self._stuck()
        if failure and time.monotonic() >= self._try_at:
            self._start_anew(failure)

    def flush(self, seconds: float) -> int:
        """Wait until everything is acknowledged, at most so long; returns how many records are not."""
        deadline = time.monotonic() + seconds
        while self._pending and time.monotonic() < deadline:
            self.tend()
            with self._changed:
                self._changed.wait(0.1)
        return len(self._pending)

    def close(self) -> None:
        """Release the connections. What was not flushed is lost."""
        self._generation += 1
        self._close(self._producer)

    @property
    def in_flight(self) -> int:
        """Records that are not yet acknowledged."""
        return len(self._pending)

    def _send(self, entry: _Entry) -> None:
        if entry.size > MAX_REQUEST_BYTES:
            raise ValueError(
                f"a record of {entry.size:,} bytes can't be sent"
            )  # it would poison the producer
        while self.in_flight_bytes + entry.size > self._max_in_flight and self._pending:
            self.tend()
            with self._changed:
                self._changed.wait(0.1)
        self._number += 1
        with self._changed:
            self._pending[self._number] = entry
            self.in_flight_bytes += entry.size
        if self._failure:
            self.tend()  # sends this one too, in its turn
        else:
            self._hand_over(self._number, entry)

    def _hand_over(self, number: int, entry: _Entry) -> None:
        entry.sent_at = time.monotonic()
        try:
            future = self._producer.send(entry.topic, entry.value, entry.key, headers=entry.headers)
        except (KafkaError, AssertionError) as error:
            self._fail(self._generation, error)
        else:
            future.add_callback(partial(self._acknowledge, number))
            future.add_errback(partial(self._fail, self._generation))

    # called in the producer's thread

    def _acknowledge(self, number: int, _: Any) -> None:
        with self._changed:
            entry = self._pending.pop(number, None)
            if entry:
                self.in_flight_bytes -= entry.size
                self.acknowledged += 1
                self._pause = 0.5
                self._changed.notify()

    def _fail(self, generation: int, error: BaseException) -> None:
        if generation == self._generation and not self._failure:
            self._failure = f"{type(error).__name__}: {error}"[:200]

    # after a failure

    def _stuck(self) -> str | None:
        with self._changed:
            oldest = next(iter(self._pending.values()), None)
        if oldest and oldest.sent_at and time.monotonic() - oldest.sent_at > self._watchdog_seconds:
            return f"no answer for {self._watchdog_seconds:.0f} s"
        return None

    def _start_anew(self, failure: str) -> None:
        if NO_METADATA in failure:
            raise_if_topic_is_gone(self._settings)
        log.warning("Kafka: %s; a new producer sends %d records again", failure, len(self._pending))
        self._failure = failure
        self._generation += 1
        self._close(self._producer)
        try:
            self._producer = self._new_producer()
        except KafkaError as error:
            self._try_at = time.monotonic() + self._pause
            self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)
            self._failure = str(error)[:200]
            return
        self._failure = None
        with self._changed:
            again = list(self._pending.items())
        for number, entry in again:
            if self._failure:
                break
            if entry.sent_at:
                self.resent += 1
            self._hand_over(number, entry)
        self._try_at = time.monotonic() + self._pause

    def _new_producer(self) -> Any:
        return self._make_producer(
            **producer_options(self._settings)
            | {
                "delivery_timeout_ms": DELIVERY_SECONDS * 1000,
                "request_timeout_ms": 10_000,
                "max_block_ms": 10_000,
            }
        )

    @staticmethod
    def _close(producer: Any) -> None:
        try:
            producer.close(timeout=1)
        except Exception as error:  # it has failed already; what matters was kept
            log.debug("closing a producer: %s", error)
