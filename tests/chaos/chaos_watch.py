"""How far the topic and both groups are, asked of the brokers again and again while they are being killed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from kafka_cluster.groups import Offsets, committed_offsets, lag, offsets
from kafka_cluster.kafka_options import client_options, connect, consumer_options
from kafka_cluster.message import header
from kafka_cluster.settings import Settings

EVERY_SECONDS = 0.5
KAFKA_TIMEOUT_MS = 3_000


@dataclass(frozen=True)
class Look:
    """What the brokers said, in answer to questions asked at `asked_at` (monotonic) or later."""

    asked_at: float
    ends: Offsets
    committed: dict[str, Offsets]
    in_sync: bool

    def has(self, group: str, ends: Offsets) -> bool:
        """True when the group has committed everything below these offsets."""
        return lag(ends, self.committed[group]) == 0


class Watch:
    """Looks twice a second, in a thread of its own, with a new client after each failure."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.groups = {"A": settings.elasticsearch_group, "B": settings.hdfs_group}
        self.latest: Look | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join(15)

    def until(self, check: Callable[[Look], bool], deadline: float) -> Look | None:
        """The first look that was begun from now on and passes; None where that takes too long."""
        now = time.monotonic()
        while time.monotonic() < deadline:
            look = self.latest
            if look and look.asked_at >= now and check(look):
                return look
            time.sleep(0.1)
        return None

    def first_record_from(self, source: str, deadline: float) -> bool:
        """Wait until a record of this source is added to the topic."""
        while time.monotonic() < deadline:
            try:
                return self._tail(source, deadline)
            except Exception:  # brokers are away
                time.sleep(0.5)
        return False

    def _tail(self, source: str, deadline: float) -> bool:
        consumer = connect(KafkaConsumer, self._settings, **consumer_options(self._settings, None))
        try:
            consumer.assign([TopicPartition(self._settings.topic, p) for p in range(6)])
            consumer.seek_to_end()
            while time.monotonic() < deadline:
                for records in consumer.poll(timeout_ms=200).values():
                    if any(header(record.headers, "source") == source for record in records):
                        return True
            return False
        finally:
            consumer.close()

    def _run(self) -> None:
        admin: Any = None
        while not self._closing.wait(EVERY_SECONDS):
            try:
                admin = admin or connect(KafkaAdminClient, self._settings, **self._options())
                self.latest = self._look(admin)
            except Exception:  # whatever it is: the faults are ours
                if admin:
                    admin.close()
                admin = None
        if admin:
            admin.close()

    def _options(self) -> dict[str, Any]:
        """A frozen broker must not blind us for the 30 s that clients wait by default."""
        return client_options(self._settings) | {"request_timeout_ms": KAFKA_TIMEOUT_MS}

    def _look(self, admin: KafkaAdminClient) -> Look:
        asked_at = time.monotonic()
        partitions = admin.describe_topics([self._settings.topic])[0]["partitions"]
        tps = [TopicPartition(self._settings.topic, found["partition_index"]) for found in partitions]
        ends = offsets(admin, tps, OffsetSpec.LATEST)
        committed = {name: committed_offsets(admin, group) for name, group in self.groups.items()}
        in_sync = all(len(found["isr_nodes"]) == len(found["replica_nodes"]) for found in partitions)
        return Look(asked_at, ends, committed, in_sync and len(ends) == 6)
