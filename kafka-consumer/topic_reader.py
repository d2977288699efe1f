"""Reads a topic without a group: the records between offsets, as they are."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LeaderNotAvailableError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from kafka_cluster.kafka_options import connect, consumer_options
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from record_batches import unpack_faster

SILENT_SECONDS = 60
Offsets = dict[TopicPartition, int]
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def persistently(ask: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
    """Ask for 30 s: a broker that has just died makes questions raise, and then others answer. Raises KafkaError."""

    @retry(
        retry=retry_if_exception_type(KafkaError),
        stop=stop_after_delay(30),
        wait=wait_fixed(0.5),
        reraise=True,
    )
    @wraps(ask)
    def asked(*args: Asked.args, **options: Asked.kwargs) -> Answer:
        try:
            return ask(*args, **options)
        except KeyError as error:  # kafka-python's answer where one of several partitions has no leader
            raise LeaderNotAvailableError(f"no leader: {error}") from None

    return asked


@persistently
def log_offsets(settings: Settings, topic: str) -> tuple[Offsets, Offsets]:
    """The first offset of each partition's log, and the one that comes next. Raises UserError for no such topic."""
    consumer = _connect(settings)
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            raise UserError(f"there is no topic {topic} at {','.join(settings.bootstrap_servers)}")
        return consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    finally:
        consumer.close()


@persistently
def offsets_at(settings: Settings, tps: list[TopicPartition], milliseconds: int) -> Offsets:
    """The first offset of each partition that was appended at that time or later; none where there is no such."""
    consumer = _connect(settings)
    try:
        found = consumer.offsets_for_times(dict.fromkeys(tps, max(0, milliseconds)))
        return {tp: at.offset for tp, at in found.items() if at is not None}
    finally:
        consumer.close()


def records(settings: Settings, starts: Mapping[TopicPartition, int], ends: Offsets) -> Iterator[Any]:
    """The records from the starts to below the ends; partitions without a start from that of their log.

    Raises UserError when nothing comes for a minute.
    """
    if not ends:
        return
    consumer = _connect(settings)
    try:
        consumer.assign(list(ends))
        consumer.seek_to_beginning()
        for tp, start in starts.items():
            consumer.seek(tp, start)
        left, silent_since = dict(ends), time.monotonic()
        while left := {tp: end for tp, end in left.items() if _position(consumer, tp) < end}:
            consumer.pause(*(tp for tp in ends if tp not in left))
            batch = _poll(consumer)
            if batch:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > SILENT_SECONDS:
                topics = ", ".join({tp.topic for tp in ends})
                raise UserError(f"Kafka gives no records of {topics} any more: are all brokers up?")
            for tp, found in batch.items():
                yield from (record for record in found if record.offset < ends[tp])
    finally:
        consumer.close()


def _connect(settings: Settings) -> KafkaConsumer:
    # where retention is quicker than we are, the log's new start is next, whatever a new group would do
    options = consumer_options(settings, None) | {"auto_offset_reset": "earliest"}
    return unpack_faster(connect(KafkaConsumer, settings, **options))


def _poll(consumer: KafkaConsumer) -> dict[TopicPartition, list[Any]]:
    try:
        return consumer.poll(timeout_ms=1000)
    except KafkaError:  # a broker has died: the next poll asks its successor
        time.sleep(0.5)
        return {}


def _position(consumer: KafkaConsumer, tp: TopicPartition) -> int:
    try:
        return consumer.position(tp, timeout_ms=3_000) or 0
    except KafkaError:
        return 0
