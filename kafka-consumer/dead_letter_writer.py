"""Poison records go to the dead-letter topic, acknowledged before the offset that they came from is committed."""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from kafka_cluster.kafka_options import connect, producer_options
from kafka_cluster.message import Origin, dead_letter_headers
from kafka_cluster.settings import Settings

log = logging.getLogger(__name__)

ACKNOWLEDGE_SECONDS = 60


class DeadLetterWriter:
    """Called from any worker; the producer is made at the first dead letter, and anew after any failure."""

    def __init__(self, settings: Settings, group: str, topic_id: Callable[[], str | None]) -> None:
        self._settings, self._group, self._topic_id = settings, group, topic_id
        self._producer: KafkaProducer | None = None
        self._lock = Lock()

    def __call__(self, poison: list[tuple[Any, str]]) -> None:
        """Write records with the reason for each. Returns when all are acknowledged, else raises KafkaError."""
        with self._lock:
            producer = self._producer or connect(
                KafkaProducer, self._settings, **producer_options(self._settings)
            )
            self._producer = None  # a producer that has failed once may hang for good: never use it again
            try:
                self._write(producer, poison)
            except KafkaError:
                producer.close(timeout=1)
                raise
            self._producer = producer
        for record, reason in poison:
            log.warning(
                "dead letter: partition %d offset %d: %.200r", record.partition, record.offset, reason
            )

    def _write(self, producer: KafkaProducer, poison: list[tuple[Any, str]]) -> None:
        topic_id = str(self._topic_id())
        futures = []
        for record, reason in poison:
            origin = Origin(record.topic, topic_id, record.partition, record.offset)
            headers = [*record.headers, *dead_letter_headers(reason, self._group, origin)]
            key = (
                b"" if record.key is None and record.value is None else record.key
            )  # one of the two must be there
            topic = self._settings.dead_letter_topic
            futures.append(producer.send(topic, record.value, key, headers=headers))
        for future in futures:
            future.get(timeout=ACKNOWLEDGE_SECONDS)

    def close(self) -> None:
        """Release the producer; everything was acknowledged already."""
        if self._producer:
            self._producer.close(timeout=5)
