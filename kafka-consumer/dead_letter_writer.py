"""What can't be delivered goes to the dead-letter topic, acknowledged before the offset behind it is committed."""

import logging
from threading import Lock
from typing import Any

from kafka_cluster.kafka_options import Producer, producer_options
from kafka_cluster.message import (
    DEAD_LETTER_HEADERS,
    Headers,
    Origin,
    dead_letter_headers,
    lost_range_headers,
)  # fmt: skip
from kafka_cluster.settings import Settings

log = logging.getLogger(__name__)

ACKNOWLEDGE_SECONDS = 60
KEPT_BYTES = 1_100_000
"""Of a value: more than a tweet can have. One of many MB fits into the topic compressed, but not into a request."""
KEPT_KEY_BYTES, KEPT_HEADERS_BYTES = 4_096, 500_000
"""Of a key, and of all headers in sum, which are kept as a whole or not at all; the same is true of them."""
Letter = tuple[bytes | None, bytes | None, Headers]
"""Key, value, headers."""


class DeadLetterWriter:
    """Called from any worker; the producer is made at the first dead letter, and anew after any failure."""

    def __init__(self, settings: Settings, group: str, topic_id: str) -> None:
        self._settings, self._group, self._topic_id = settings, group, topic_id
        self._producer: Producer | None = None
        self._lock = Lock()

    def __call__(self, poison: list[tuple[Any, str]]) -> None:
        """Write records with the reason for each. Returns when all are acknowledged, else raises KafkaError."""
        self._deliver([self._letter(record, reason) for record, reason in poison])
        for record, reason in poison:
            log.warning(
                "dead letter: partition %d offset %d: %.200r", record.partition, record.offset, reason
            )

    def lost(self, partition: int, offsets: range) -> None:
        """Note records that the group never had. Returns when that is acknowledged, else raises KafkaError."""
        origin = Origin(self._settings.topic, self._topic_id, partition, offsets.start)
        self._deliver([(b"", None, lost_range_headers(self._group, origin, offsets.stop))])

    def _letter(self, record: Any, reason: str) -> Letter:
        origin = Origin(record.topic, self._topic_id, record.partition, record.offset)
        value, key = record.value and record.value[:KEPT_BYTES], record.key and record.key[:KEPT_KEY_BYTES]
        # a record that was a dead letter once, and was copied back, has such headers of an earlier origin; Kafka
        # allows a header without a value, its client does not
        others = [(name, held or b"") for name, held in record.headers if name not in DEAD_LETTER_HEADERS]
        cut = {}
        if value != record.value:
            cut["whole_size"] = len(record.value)
        if key != record.key:
            cut["whole_key_size"] = len(record.key)
        if sum(len(name.encode()) + len(held) + 10 for name, held in others) > KEPT_HEADERS_BYTES:
            cut["dropped_headers"], others = len(others), []
        headers = [*others, *dead_letter_headers(reason, self._group, origin, **cut)]
        # of key and value one must be there
        return b"" if key is None and value is None else key, value, headers

    def _deliver(self, letters: list[Letter]) -> None:
        with self._lock:
            producer = self._producer or Producer(**producer_options(self._settings))
            self._producer = None  # a producer that has failed once may hang for good: never use it again
            try:
                futures = [
                    producer.send(self._settings.dead_letter_topic, value, key, headers=headers)
                    for key, value, headers in letters
                ]
                for future in futures:
                    future.get(timeout=ACKNOWLEDGE_SECONDS)
            except Exception:
                producer.close(timeout=1)
                raise
            self._producer = producer

    def close(self) -> None:
        """Release the producer; everything was acknowledged already."""
        if self._producer:
            self._producer.close(timeout=5)
