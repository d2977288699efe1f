"""The doctor's checks of Kafka: addresses, versions, topics, sizes, disks, clocks. Nothing is written."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from findings import SET_CLOCKS, SKEW_SECONDS, Check, Finding, Patient, fault, ok, warning
from kafka_cluster.broker_diagnosis import STATUS, advertised_fault, unreachable, what_answers
from kafka_cluster.kafka_options import (
    MAX_REQUEST_BYTES,
    advertised,
    client_options,
    connect,
    consumer_options,
)
from kafka_cluster.message import MAX_RECORD_BYTES, header
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import MissingTopic, Topic, compare, describe, topic_id, wanted_topics

QUICK = {"bootstrap_timeout_ms": 4_000, "request_timeout_ms": 3_000}
NOBODY = "can't be reached"
RECORD_BYTES = MAX_RECORD_BYTES + (16 << 10)
"""With key, headers and the batch's own; the reason of a dead letter alone may have 2,000 bytes."""
GIVES_TOPIC_IDS = (2, 8)
SEGMENT_BYTES = 1 << 30  # log.segment.bytes, by default
RECENT_SECONDS, POLL_SECONDS = 3_600.0, 2.0

Node = tuple[int, str, int]
"""A broker's id, host and port."""


class KafkaChecks:
    """The checks of one examination: the first finds the brokers that answer, and the others ask those."""

    def __init__(self) -> None:
        self._settings: Settings
        self._admin: Any = None  # a KafkaAdminClient, once a broker has answered
        self._answering: list[int] = []

    def close(self) -> None:
        """Close what the first check opened."""
        if self._admin:
            self._admin.close()

    def checks(self) -> Check:
        """Brokers first."""
        return Check("brokers", self.brokers, (
            Check("topics", self.topics), Check("record size", self.sizes),
            Check("broker disks", self.disks), Check("broker clocks", self.clocks),
        ))  # fmt: skip

    def brokers(self, patient: Patient) -> Iterator[Finding]:
        """Whether a broker answers at each address, and sends clients on to addresses that are reached from here."""
        servers = patient.settings.bootstrap_servers
        with ThreadPoolExecutor(len(servers)) as askers:
            answers = list(askers.map(lambda server: _ask(patient.settings, server), servers))
        silent = {server: why for server, why in zip(servers, answers, strict=True) if isinstance(why, str)}
        if len(silent) == len(servers):  # a port that something else has says more than one that nobody has
            raise UserError(max(silent.values(), key=lambda why: NOBODY not in why))
        for why in silent.values():
            yield fault(why)
        nodes = sorted({node for known in answers if not isinstance(known, str) for node in known})
        yield from self._reach([node for node in nodes if f"{node[1]}:{node[2]}" not in silent])
        versions = self._connect(patient.settings, [server for server in servers if server not in silent])
        yield from fit(versions)
        shown = " and ".join(map(_dotted, sorted(versions)))
        yield ok(f"all {len(self._answering)} answer, and are reached where they say; Kafka {shown}")

    def _reach(self, nodes: list[Node]) -> Iterator[Finding]:
        """Try the addresses that the brokers give to clients. Raises UserError where none is of use."""
        if wrong := advertised_fault(nodes):
            raise UserError(wrong)
        for id_, host, port in nodes:
            why = unreachable(host, port)
            if why is None:
                self._answering.append(id_)
                continue
            yield fault(
                f"broker {id_} sends clients on to {host}:{port}, which can't be reached from here ({why})",
                "what it advertises (KAFKA_ADVERTISED_LISTENERS; here by bootstrap_servers_ip in .env) must be an "
                "address that this machine reaches",
            )

    def _connect(self, settings: Settings, servers: list[str]) -> set[tuple[int, ...]]:
        """Connect to each broker that answers: the client prefers those in what follows. Returns their versions."""
        if not self._answering:
            raise UserError("no broker is left of which more could be asked")
        self._settings = replace(settings, bootstrap_servers=tuple(servers))
        self._admin = connect(KafkaAdminClient, self._settings, **client_options(self._settings) | QUICK)
        return {self._admin.get_broker_version_data(id_).broker_version for id_ in self._answering}

    def topics(self, patient: Patient) -> Iterator[Finding]:
        """Whether the topics are as the pipeline needs them."""
        seen = []
        for wanted, actual in self._topics():
            if actual is None:
                yield warning(str(MissingTopic(wanted.name)))
                continue
            seen.append(f"{actual.name}: {actual.partitions} x {actual.replication}")
            for difference in compare(wanted, actual, self._settings.bootstrap_servers[0]):
                if difference.name != "max.message.bytes":  # below, with what it means
                    say = fault if difference.fatal else warning
                    yield say(f"topic {actual.name}: {difference.what}", difference.cure)
        yield ok(f"partitions x replicas of {', '.join(seen)}; the loss of any one broker loses nothing")

    def sizes(self, patient: Patient) -> Iterator[Finding]:
        """Whether topics and brokers take what passes the producer's own check of a record's size."""
        for wanted, actual in self._topics():
            if actual is not None:
                yield from too_small(wanted, actual, self._settings.bootstrap_servers[0])
        for id_ in self._answering:
            resource = ConfigResource(ConfigResourceType.BROKER, str(id_))
            values = next(iter(self._admin.describe_configs([resource], config_filter="all").values()))[
                str(id_)
            ]
            taken = int(values["socket.request.max.bytes"]["value"])
            if taken < MAX_REQUEST_BYTES:
                yield fault(
                    f"broker {id_} cuts off requests above {taken:,} bytes, and ours have up to {MAX_REQUEST_BYTES:,}",
                    "raise its socket.request.max.bytes, and start it again",
                )
        yield ok(f"values up to {MAX_RECORD_BYTES:,} bytes are taken")

    def disks(self, patient: Patient) -> Iterator[Finding]:
        """Whether the brokers have room."""
        free = least_room(self._admin.describe_log_dirs(brokers=self._answering))
        for id_, room in free.items():
            if room < SEGMENT_BYTES:
                yield fault(
                    f"broker {id_} has {room / 2**30:.1f} GB of disk left, and ends where it has none",
                    "make room, or let Kafka keep less: retention.ms of the topic",
                )
        yield ok(
            f"{min(free.values()) / 2**30:.1f} GB left"
            if free
            else "brokers before 3.3 don't tell their room"
        )

    def clocks(self, patient: Patient) -> Iterator[Finding]:
        """Whether the brokers, which date records, have the time of this machine."""
        newest = self._newest()
        for record in newest:
            if why := skewed(record.timestamp, header(record.headers, "received_at"), time.time()):
                yield warning(f"a record in partition {record.partition} is dated {why}", SET_CLOCKS)
        yield ok(
            "the newest records are dated as they should be" if newest else "no record to tell the time by"
        )

    def _topics(self) -> Iterator[tuple[Topic, Topic | None]]:
        for wanted in wanted_topics(self._settings):
            there = topic_id(self._admin, wanted.name) is not None
            yield wanted, describe(self._admin, wanted.name) if there else None

    def _newest(self) -> list[Any]:
        """The last record of each partition that an answering broker leads."""
        topic = self._settings.topic
        partitions = [
            TopicPartition(topic, partition["partition_index"])
            for partition in self._admin.describe_topics([topic])[0]["partitions"]
            if partition["leader_id"] in self._answering
        ]
        consumer = connect(KafkaConsumer, self._settings, **consumer_options(self._settings, None) | QUICK)
        try:
            starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
            left = {tp for tp in partitions if starts[tp] < ends[tp]}
            consumer.assign(list(left))
            for tp in left:
                consumer.seek(tp, ends[tp] - 1)
            records, deadline = [], time.monotonic() + POLL_SECONDS
            while left and time.monotonic() < deadline:
                for tp, batch in consumer.poll(timeout_ms=200).items():
                    records.append(batch[-1])
                    left.discard(tp)
            return records
        finally:
            consumer.close()


def _ask(settings: Settings, server: str) -> list[Node] | str:
    """The brokers that the one at this address knows of; or, where no broker answers there, why."""
    host, _, port = server.rpartition(":")
    if why := unreachable(host.strip("[]"), int(port)):
        return (
            f"{server} {NOBODY} ({why}): is that broker up ({STATUS}), and are bootstrap_servers and "
            "bootstrap_servers_ip right?"
        )
    options = client_options(settings) | QUICK | {"bootstrap_servers": [server]}
    try:
        admin = KafkaAdminClient(**options)
    except KafkaError:
        encrypted = settings.kafka_security_protocol != "PLAINTEXT"
        return f"{server} {what_answers(server, encrypted, settings.kafka_ca_file)}"
    try:
        return advertised(admin)
    finally:
        admin.close()


def fit(versions: set[tuple[int, ...]]) -> Iterator[Finding]:
    """Whether the brokers' versions do for the scripts."""
    oldest = min(versions)
    if oldest < GIVES_TOPIC_IDS:
        what = f"Kafka {_dotted(oldest)} gives topics no ids: one that is made anew looks like the old one"
        yield warning(what, "take Kafka 2.8 or newer")
    if len(versions) > 1:
        shown = " and ".join(map(_dotted, sorted(versions)))
        yield warning(f"the brokers are of different versions, {shown}", "bring all to the newest")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def too_small(wanted: Topic, actual: Topic, server: str) -> Iterator[Finding]:
    """Where a topic's `max.message.bytes`, its own or the brokers', is not what it should be."""
    taken = int(actual.config["max.message.bytes"])
    for difference in compare(wanted, actual, server):
        if difference.name != "max.message.bytes":
            continue
        if taken < RECORD_BYTES:
            yield fault(
                f"topic {actual.name} takes {taken:,} bytes, and records with values up to {MAX_RECORD_BYTES:,} "
                "pass our check: a large one would be refused, again and again",
                difference.cure,
            )
        else:
            yield warning(f"topic {actual.name}: {difference.what}", difference.cure)


def least_room(log_dirs: list[dict[str, Any]]) -> dict[int, int]:
    """Broker -> bytes left on the fullest of its disks; brokers before 3.3 say -1, or nothing."""
    found: dict[int, int] = {}
    for broker in log_dirs:
        room = [folder.get("usable_bytes", -1) for folder in broker["log_dirs"]]
        if room and min(room) >= 0:
            found[broker["broker"]] = min(room)
    return found


def skewed(dated: int, received_at: str | None, now: float) -> str | None:
    """How a record's date (ms since 1970, by the broker) is wrong; None where it may be right.

    A broker that is ahead dates into the future; one that is behind dates before the producer had the tweet.
    """
    ahead = dated / 1000 - now
    if ahead > SKEW_SECONDS:
        return f"{ahead:,.0f} s in the future: its broker's clock is ahead of this machine's"
    if received_at is None or ahead < -RECENT_SECONDS:
        return None
    try:
        behind = datetime.fromisoformat(received_at).timestamp() - dated / 1000
    except ValueError:
        return None
    if behind > SKEW_SECONDS:
        return f"{behind:,.0f} s before the producer received it: its broker's clock is behind"
    return None
