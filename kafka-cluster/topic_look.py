"""One look at the topic and its groups, for those who look again and again, also while brokers die and come back."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaConnectionError, KafkaError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from kafka_cluster.broker_diagnosis import unreachable
from kafka_cluster.groups import Offsets, committed_offsets, lag, offsets
from kafka_cluster.kafka_options import client_options, connect
from kafka_cluster.settings import Settings
from kafka_cluster.topics import MissingTopic

REQUEST_MS = 3_000
PROBE_SECONDS = 0.3


@dataclass(frozen=True)
class Look:
    """What the brokers say, by partition: leader (-1: none), in-sync replicas, how many replicas there are.

    `answering`: brokers that take connections; for some seconds one that has died is still named as a leader.
    `lags`: of groups A and B, None where nobody can say. `rate`: records a second since the look before.
    """

    leaders: list[int]
    in_sync: list[list[int]]
    replicas: list[int]
    answering: frozenset[int]
    records: int
    rate: float
    lags: tuple[int | None, int | None]

    @property
    def whole(self) -> bool:
        """True when all replicas of each partition are in sync."""
        return [len(nodes) for nodes in self.in_sync] == self.replicas

    def leader(self, partition: int) -> str:
        """The leader's number; with `?` one that is named, but does not answer; `-` where there is none."""
        number = self.leaders[partition]
        if number < 0:
            return "-"
        return f"{number}" if number in self.answering else f"{number}?"

    def __str__(self) -> str:
        leaders = " ".join(map(self.leader, range(len(self.leaders))))
        in_sync = " ".join(str(len(nodes)) for nodes in self.in_sync)
        a, b = map(lag_text, self.lags)
        return f"leaders {leaders}   in sync {in_sync}   {self.rate:5,.0f}/s   lag A {a} B {b}"


class Observer:
    """Looks at the topic. What a dead broker would have to say is left as it was known before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._groups = (settings.elasticsearch_group, settings.hdfs_group)
        self._admin: KafkaAdminClient | None = None
        self._ends: dict[TopicPartition, int] = {}
        self._committed: dict[str, Offsets] = {}
        self._before: tuple[float, int] | None = None

    def look(self) -> Look:
        """Ask the living brokers. Raises KafkaError or UserError where none answers, or there is no such topic."""
        try:
            self._admin = self._admin or self._connect()
            partitions, answering = self._ask_for_leaders(self._admin)
            self._ask_for_ends(self._admin, partitions, answering)
            lags = [self._lag(self._admin, group) for group in self._groups]
        except Exception:
            self.close()
            raise
        if None in lags:
            self.close()  # a new client finds the groups' new coordinator
        records = sum(self._ends.values())
        return Look(
            [partition["leader_id"] for partition in partitions],
            [sorted(partition["isr_nodes"]) for partition in partitions],
            [len(partition["replica_nodes"]) for partition in partitions],
            answering, records, self._rate(records), (lags[0], lags[1]),
        )  # fmt: skip

    def close(self) -> None:
        """Release the connections."""
        if self._admin:
            self._admin.close()
        self._admin = None

    def _connect(self) -> KafkaAdminClient:
        options = {"request_timeout_ms": REQUEST_MS, "bootstrap_timeout_ms": REQUEST_MS}
        return connect(KafkaAdminClient, self._settings, **client_options(self._settings) | options)

    # the client may ask a broker that has died: then the next one
    @retry(retry=retry_if_exception_type(KafkaConnectionError), stop=stop_after_attempt(3), reraise=True)
    def _ask_for_leaders(self, admin: KafkaAdminClient) -> tuple[list[dict[str, Any]], frozenset[int]]:
        found = admin.describe_topics([self._settings.topic])[0]["partitions"]
        if not found:
            raise MissingTopic(self._settings.topic)
        return sorted(found, key=lambda partition: partition["partition_index"]), answering(
            admin.describe_cluster()["brokers"]
        )

    def _ask_for_ends(
        self, admin: KafkaAdminClient, partitions: list[dict[str, Any]], answering: frozenset[int]
    ) -> None:
        led = [
            TopicPartition(self._settings.topic, partition["partition_index"])
            for partition in partitions
            if partition["leader_id"] in answering
        ]
        try:
            self._ends |= offsets(admin, led, OffsetSpec.LATEST)
        except KafkaError:  # one has died just now
            return

    def _lag(self, admin: KafkaAdminClient, group: str) -> int | None:
        try:
            committed = committed_offsets(admin, group)
        except KafkaError:
            return None
        if not committed and self._committed.get(group):  # its coordinator is away
            return None
        self._committed[group] = committed
        return lag(self._ends, committed)

    def _rate(self, records: int) -> float:
        now = time.monotonic()
        before, self._before = self._before, (now, records)
        return (records - before[1]) / (now - before[0]) if before else 0.0


def answering(brokers: Iterable[dict[str, Any]]) -> frozenset[int]:
    """The ids of brokers that take a connection at the address that they advertise."""
    return frozenset(
        broker["broker_id"]
        for broker in brokers
        if unreachable(broker["host"], broker["port"], PROBE_SECONDS) is None
    )


def lag_text(lag: int | None) -> str:
    """For people."""
    return "?" if lag is None else f"{lag:,}"
