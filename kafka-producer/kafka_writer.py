"""Writes records to Kafka until every one is acknowledged, around what kafka-python's producer does not do.

kafka-python 3.0.12 has no bound for what it buffers; after a batch that expires it may hang for good, and after a
record that is refused it refuses every later one. So: bytes in flight are bounded here, every batch is followed, a
watchdog looks for those that nobody hears of, and after any failure a new producer sends again, in order, what has
no answer yet. What was written by the failed one too is twice in the topic, and once in Elasticsearch.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Condition, Lock, Thread
from typing import Any

from kafka.errors import AuthorizationError, KafkaError
from msgspec import Struct

from batching_producer import BatchingProducer
from kafka_cluster.kafka_options import MAX_REQUEST_BYTES, producer_options
from kafka_cluster.message import Headers, TweetRecord
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import ForbiddenTopic, UnusableTopic, raise_if_topic_is_gone

log = logging.getLogger(__name__)

MAX_IN_FLIGHT_BYTES = 8 << 20
"""Five times what is sent at once, a batch of each partition; with 32 MB a record took a fifth more CPU time."""
RECORD_OVERHEAD_BYTES = 300  # key, headers, and what Kafka adds
DELIVERY_SECONDS = 30
"""Longer than the election of a new leader takes; shorter than people like to wait for two dead brokers."""
WATCHDOG_SECONDS = DELIVERY_SECONDS + 15
SILENT_SECONDS = 1.0
"""Without an answer for so long, Kafka counts as away."""
FIRST_ANSWER_SECONDS = 4.0
"""The same for the first answer: connections to all leaders and the producer's id come before it."""
CLOSE_SECONDS = 0.1
"""`flush` has waited already: whoever asks us to end waits 2 s at most."""
MAX_BLOCK_MS = 2_000
LONGEST_PAUSE_SECONDS = 5.0
NO_METADATA = "Failed to update metadata"
"""What kafka-python says where the topic is not there, and where no broker is reached."""


class Outgoing(Struct, eq=False, gc=False):
    """A record on its way. `kept` is its number in the spill file, where it has one."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    sent_at: float = 0.0
    acknowledged: bool = False
    kept: int | None = None

    @property
    def size(self) -> int:
        """About the bytes that it occupies until it is acknowledged."""
        return len(self.value) + RECORD_OVERHEAD_BYTES


def tweet(settings: Settings, record: TweetRecord) -> Outgoing:
    """A tweet, for the topic of tweets."""
    return Outgoing(settings.topic, record.key, record.value, record.headers)


def dead_letter(settings: Settings, value: bytes, headers: Headers) -> Outgoing:
    """A line that is no tweet, for the topic of dead letters, with its reason in the headers."""
    return Outgoing(settings.dead_letter_topic, None, value, headers)


class KafkaWriter:
    """Sends records; used by one thread. `acknowledged` counts those that all in-sync replicas have, `resent` those
    that were sent once more after a failure.

    `on_acknowledged` is called with each record, in the client's thread.
    """

    lost = 0  # whoever sends waits for room

    def __init__(
        self, settings: Settings, make_producer: Callable[..., Any] = BatchingProducer,
        on_acknowledged: Callable[[Outgoing], None] | None = None,
        max_in_flight_bytes: int = MAX_IN_FLIGHT_BYTES, watchdog_seconds: float = WATCHDOG_SECONDS,
    ) -> None:  # fmt: skip
        self._settings, self._make_producer = settings, make_producer
        self.on_acknowledged = on_acknowledged
        self._max_in_flight, self._watchdog_seconds = max_in_flight_bytes, watchdog_seconds
        self._pending: dict[int, Outgoing] = {}  # in the order of sending
        # taken for every record, so by itself: a Condition's `with` goes through Python
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._number = self._generation = 0
        self._failure: str | None = None
        self._refusal: AuthorizationError | None = None
        self._failed_before = False
        self._making: Future | None = None
        self._pause, self._try_at = 0.5, 0.0
        self._producer: Any = self._new_producer()
        self.in_flight_bytes = self.acknowledged = self.resent = 0

    def send(self, outgoing: Outgoing) -> None:
        """Send a record. Never blocks; ask `has_room` before, else what is in flight has no bound."""
        size = outgoing.size
        if size > MAX_REQUEST_BYTES:  # it would poison the producer
            raise ValueError(f"a record of {size:,} bytes can't be sent")
        self._number += 1
        with self._lock:
            self._pending[self._number] = outgoing
            self.in_flight_bytes += size
        if not self._failure:  # else `tend` sends this one too, in its turn
            self._hand_over(self._number, outgoing)

    @property
    def has_room(self) -> bool:
        """False while as much is in flight as may be."""
        return self.in_flight_bytes < self._max_in_flight

    @property
    def away(self) -> bool:
        """True while Kafka does not answer."""
        patience = SILENT_SECONDS if self.acknowledged else FIRST_ANSWER_SECONDS
        return self._failure is not None or self._silent_seconds > patience

    @property
    def in_flight(self) -> int:
        """Records that are not yet acknowledged."""
        return len(self._pending)

    def pending(self) -> list[Outgoing]:
        """Those records, in order."""
        with self._lock:
            return list(self._pending.values())

    def tend(self) -> None:
        """Look after what is in flight: replace a failed producer. Call it several times a second.

        Raises UnusableTopic where somebody has deleted a topic, or does not let us write to it.
        """
        if self._refusal:
            raise ForbiddenTopic(self._refusal, self._settings)
        if self._making:
            if self._making.done():
                self._take_over(self._making)
            return
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

    def what_is_left(self) -> str:
        """What became of records that Kafka has not acknowledged, for people."""
        return f", {self.in_flight:,} NOT" if self._pending else ""

    def close(self) -> None:
        """Release the connections. What was not flushed is lost."""
        self._generation += 1
        self._close(self._producer, CLOSE_SECONDS)

    def _hand_over(self, number: int, outgoing: Outgoing) -> None:
        outgoing.sent_at = time.monotonic()
        try:
            self._producer.append(outgoing.topic, outgoing.value, outgoing.key, outgoing.headers, number)
        except (KafkaError, AssertionError) as error:
            self._fail(self._generation, error)

    # called in the producer's thread

    def _settled(self, generation: int, numbers: list[int], error: BaseException | None) -> None:
        if error is not None:
            self._fail(generation, error)
            return
        with self._changed:
            for number in numbers:
                outgoing = self._pending.pop(number, None)
                if outgoing is None:
                    continue
                self.in_flight_bytes -= outgoing.size
                self.acknowledged += 1
                outgoing.acknowledged = True
                if self.on_acknowledged:
                    self.on_acknowledged(outgoing)
            self._pause = 0.5
            self._changed.notify()

    def _fail(self, generation: int, error: BaseException) -> None:
        if isinstance(error, AuthorizationError):
            self._refusal = error
        if generation == self._generation and not self._failure:
            self._failure = f"{type(error).__name__}: {error}"[:200]

    # after a failure

    @property
    def _silent_seconds(self) -> float:
        with self._lock:
            oldest = next(iter(self._pending.values()), None)
        return time.monotonic() - oldest.sent_at if oldest and oldest.sent_at else 0.0

    def _stuck(self) -> str | None:
        stuck = self._silent_seconds > self._watchdog_seconds
        return f"no answer for {self._watchdog_seconds:.0f} s" if stuck else None

    def _start_anew(self, failure: str) -> None:
        if not self._failed_before:
            log.warning("Kafka: %s; %d records wait for a new producer", failure, len(self._pending))
        self._failure, self._failed_before = failure, True
        self._generation += 1
        self._making = Future()
        # in a thread: it waits for brokers, and whoever sends must not
        thread = Thread(target=self._replace, args=(self._producer, self._making), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many just now
            self._making.set_exception(error)

    def _replace(self, failed: Any, making: Future) -> None:
        try:
            self._close(failed)
            if NO_METADATA in str(self._failure):
                raise_if_topic_is_gone(self._settings)
            making.set_result(self._new_producer())
        except Exception as error:  # else nobody would ever try again
            making.set_exception(error)

    def _take_over(self, making: Future) -> None:
        self._making = None
        try:
            self._producer = making.result()
        except UnusableTopic:
            raise
        except AuthorizationError as error:
            raise ForbiddenTopic(error, self._settings) from None
        except Exception as error:
            if not isinstance(error, (KafkaError, UserError)) and str(error)[:200] != self._failure:
                log.warning("no new producer yet: %s: %s", type(error).__name__, error)
            self._try_at = time.monotonic() + self._pause
            self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)
            self._failure = str(error)[:200]
            return
        self._failure, self._failed_before = None, False
        with self._lock:
            again = list(self._pending.items())
        self.resent += len(again)
        log.info("Kafka answers; %d records are sent again", len(again))
        for number, outgoing in again:
            if self._failure:
                break
            self._hand_over(number, outgoing)
        self._try_at = time.monotonic() + self._pause

    def _new_producer(self) -> Any:
        producer = self._make_producer(
            **producer_options(self._settings)
            | {
                "delivery_timeout_ms": DELIVERY_SECONDS * 1000,
                "request_timeout_ms": 10_000,
                "max_block_ms": MAX_BLOCK_MS,
            }
        )
        producer.settled = partial(self._settled, self._generation)
        producer.partitions_for(self._settings.topic)  # so that the first `append` need not wait for it
        return producer

    @staticmethod
    def _close(producer: Any, seconds: float = 1.0) -> None:
        try:
            producer.close(timeout=seconds)  # twice that, where brokers are away
        except Exception as error:  # it has failed already; what matters was kept
            log.debug("closing a producer: %s", error)
