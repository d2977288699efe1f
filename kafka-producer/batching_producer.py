"""A kafka-python producer that takes 100,000 tweets in 0.8 CPU seconds, where its `send` needs 3.5.

Most of that time goes into a future with callbacks for each record, into numbers written byte by byte, and into
asking again for each record which partitions there are. `append` writes the record into the same batches, which the
library's own thread sends, repeats and splits as ever; whoever calls is told once for each batch what became of it.
It reaches into kafka-python 3.0.12, which requirements.txt pins: tests/unit/test_batching_producer.py fails where
another version is built otherwise.
"""

import random
import time
from collections.abc import Callable
from functools import cache, partial
from struct import iter_unpack
from typing import Any

from kafka import TopicPartition
from kafka.errors import IllegalStateError, LeaderNotAvailableError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import encode_varint
from msgspec import Struct

from kafka_cluster.kafka_options import Producer
from kafka_cluster.message import Headers

Settled = Callable[[list[int], BaseException | None], None]
"""Called in the client's thread with numbers that records were given, and why they failed, or None."""


class Ticket(Struct, gc=False):
    """In the place of the library's future of a record: which one it is."""

    number: int
    settle: Callable[[list["Ticket"], Any], None]

    def rebind(self, future: Any, _: int) -> None:
        """The library has split the batch, and the record is now in one of which this is the future."""
        future.add_callback(partial(self.settle, [self]))


class BatchingProducer(Producer):
    """`append` instead of `send`, by one thread; `settled` must be set before, and is told what became of records."""

    settled: Settled

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._places: dict[str, tuple[object, list[TopicPartition]]] = {}

    def append(self, topic: str, value: bytes, key: bytes | None, headers: Headers, number: int) -> None:
        """Put a record into a batch; raises KafkaError where it can't be. Waits for the topic's metadata, once."""
        place = self._place(topic, key)
        accumulator, moment = self._accumulator, int(time.time() * 1000)
        with accumulator._tp_lock(place):
            if self._closed or accumulator._closed:
                raise IllegalStateError("the producer is closed")
            batches = accumulator._batches[place]
            new = not batches or not add(batches[-1].records, moment, key, value, headers)
            if new:
                config = accumulator.config
                records = MemoryRecordsBuilder(2, config["compression_attrs"], config["batch_size"])
                add(records, moment, key, value, headers)
                batch = ProducerBatch(place, records)
                batch.produce_future.add_callback(partial(self._settle, batch._record_futures))
                batches.append(batch)
                accumulator._incomplete.add(batch)
            batches[-1]._record_futures.append(Ticket(number, self._settle))
        if new:  # it waits for `linger_ms` of this one, and the one before is full
            self._sender.wakeup()

    def _place(self, topic: str, key: bytes | None) -> TopicPartition:
        """By its key, as every client of Kafka does; else any."""
        known, places = self._places.get(topic, (None, []))
        partitions = self._metadata._partitions.get(topic)
        if not partitions:
            self._wait_on_metadata(topic, self.config["max_block_ms"])
            partitions = self._metadata._partitions.get(topic)
            if not partitions:
                raise LeaderNotAvailableError(f"no partition of {topic} is known")
        if partitions is not known:  # the first time, or the metadata is new
            places = [TopicPartition(topic, partition) for partition in sorted(partitions)]
            self._places[topic] = partitions, places
        return random.choice(places) if key is None else places[(murmur2(key) & 0x7FFFFFFF) % len(places)]

    def _settle(
        self, tickets: list[Ticket], result: tuple[int, int, Callable[[int], Exception] | None]
    ) -> None:
        _, _, error_of = result
        self.settled([ticket.number for ticket in tickets], error_of(0) if error_of else None)


def add(
    records: MemoryRecordsBuilder, moment: int, key: bytes | None, value: bytes, headers: Headers
) -> bool:
    """Write a record (`moment`: ms since 1970) behind those of a batch; False where it is full or on its way."""
    builder, number = records._builder, records._next_offset
    if builder is None:
        return False
    if not number:
        builder._first_timestamp = builder._max_timestamp = moment
    parts = [b"\0", varint(moment - builder._first_timestamp), varint(number)]
    parts += (varint(-1),) if key is None else (varint(len(key)), key)
    parts += varint(len(value)), value, varint(len(headers))
    for name, content in headers:
        parts += header_name(name), varint(len(content)), content
    record = b"".join(parts)
    size = varint(len(record))
    buffer = builder._buffer
    if number and len(buffer) + len(size) + len(record) > builder._batch_size:
        return False
    buffer += size
    buffer += record
    builder._max_timestamp = max(builder._max_timestamp, moment)
    builder._num_records += 1
    builder._last_offset = number
    records._next_offset = number + 1
    return True


def _encoded(number: int) -> bytes:
    found = bytearray()
    encode_varint(number, found.append)
    return bytes(found)


_SHORT = [_encoded(number) for number in range(8192)]


def varint(number: int) -> bytes:
    """A number as records hold it."""
    return _SHORT[number] if 0 <= number < 8192 else _encoded(number)


@cache
def header_name(name: str) -> bytes:
    """A header's name as records hold it. There are a dozen."""
    encoded = name.encode()
    return varint(len(encoded)) + encoded


def murmur2(data: bytes) -> int:
    """Kafka's hash of a key, which names its partition: kafka.partitioner's, in half the time."""
    mixed, whole = 0x9747B28C ^ len(data), len(data) & ~3
    for (part,) in iter_unpack("<I", data[:whole]):
        part = part * 0x5BD1E995 & 0xFFFFFFFF
        mixed = (mixed * 0x5BD1E995 ^ (part ^ part >> 24) * 0x5BD1E995) & 0xFFFFFFFF
    if rest := data[whole:]:
        mixed = (mixed ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return mixed ^ mixed >> 15
