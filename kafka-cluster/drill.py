"""`drill`: the leader of a partition dies under load and comes back; a line a second shows what changes.

The load is the other rooms' scripts, started as anybody would start them: a simulated stream and both groups.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from clusters import Cluster
from kafka_cluster.groups import committed_offsets, lag
from kafka_cluster.kafka_options import client_options, connect
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings, load_settings
from kafka_cluster.topics import MissingTopic

LOG = ROOT / "build" / "drill.log"
PRODUCER, CONSUMER = "kafka-producer/producer.py", "kafka-consumer/consumer.py"
RATE = "300"
CALM_SECONDS, DEAD_SECONDS, LONGEST_SECONDS = 6, 10, 90
REQUEST_MS = 3_000


@dataclass(frozen=True)
class Look:
    """The topic and the groups at a moment: leader and in-sync replicas of each partition, records, lag by group."""

    leaders: list[int]
    in_sync: list[int]
    records: int
    lags: tuple[int, int]

    @property
    def whole(self) -> bool:
        """True when all three replicas of each partition are in sync."""
        return set(self.in_sync) == {3}


class Observer:
    """Looks at the topic and tells, once a second; while a look needs a broker that is dead, it says so."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._admin: KafkaAdminClient | None = None
        self._started = time.monotonic()
        self._before: tuple[float, int] | None = None
        self.rate = 0.0  # records a second, since the look before

    def tell(self, phase: str, until: Callable[[Look], bool], seconds: float = LONGEST_SECONDS) -> Look:
        """Tell until a look passes. Raises UserError where none does in time."""
        deadline = time.monotonic() + seconds
        while True:
            time.sleep(1)
            look = self._look()
            self._say(f"{time.monotonic() - self._started:4.0f} s  {phase:<18}{self._line(look)}")
            if look and until(look):
                return look
            if time.monotonic() > deadline:
                raise UserError(f"{phase}: not over after {seconds:.0f} s; see {LOG}")

    def tell_for(self, phase: str, seconds: float) -> None:
        """Tell for so long."""
        end = time.monotonic() + seconds
        self.tell(phase, lambda _: time.monotonic() >= end)

    def _look(self) -> Look | None:
        try:
            options = client_options(self._settings) | {"request_timeout_ms": REQUEST_MS}
            self._admin = self._admin or connect(KafkaAdminClient, self._settings, **options)
            return look_at(self._admin, self._settings)
        except (KafkaError, UserError):
            if self._admin:
                self._admin.close()
            self._admin = None  # the next look asks another broker
            return None

    def _line(self, look: Look | None) -> str:
        if look is None:
            return "no answer: a dead broker is still named, until ZooKeeper gives it up"
        now = time.monotonic()
        if self._before:
            self.rate = (look.records - self._before[1]) / (now - self._before[0])
        self._before = (now, look.records)
        leaders = " ".join(str(leader) if leader > 0 else "-" for leader in look.leaders)
        in_sync = " ".join(map(str, look.in_sync))
        lags = "lag A {:,} B {:,}".format(*look.lags)
        return f"leaders {leaders}   in sync {in_sync}   {self.rate:5,.0f}/s   {lags}"


def drill(cluster: Cluster, say: Callable[[str], None]) -> int:
    """Kill the leader of partition 0 under load, bring it back, audit; returns the audit's exit code."""
    env = os.environ | cluster.environment() | {"hdfs_flush_seconds": "2"}
    observer = Observer(load_settings(environ=env), say)
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log, running(CONSUMER, log=log, env=env):
        with running(PRODUCER, "simulate", "--rate", RATE, log=log, env=env):
            look = observer.tell("starting", lambda look: look.whole and observer.rate > 0)
            observer.tell_for("all is well", CALM_SECONDS)
            victim = f"kafka{look.leaders[0]}"
            say(f"        {victim}, the leader of partition 0, is killed")
            cluster.kill(victim)
            with brought_back(cluster, victim) as bring_back:
                observer.tell_for(f"{victim} is dead", DEAD_SECONDS)
                say(f"        {victim} is started again, and has to catch up")
                started = bring_back()
                observer.tell(f"{victim} comes back", lambda look: started.done() and look.whole)
            observer.tell_for("all is well", CALM_SECONDS)
        say("        the stream has ended; the groups read what is left")
        observer.tell("no more tweets", lambda look: not any(look.lags))
    return subprocess.run(script("kafka-consumer/audit.py"), env=env, check=False).returncode


def look_at(admin: KafkaAdminClient, settings: Settings) -> Look:
    """Ask the brokers. Raises KafkaError or UserError."""
    found = admin.describe_topics([settings.topic])[0]["partitions"]
    partitions = sorted(found, key=lambda partition: partition["partition_index"])
    if not partitions:
        raise MissingTopic(settings.topic)
    tps = [TopicPartition(settings.topic, partition["partition_index"]) for partition in partitions]
    latest = admin.list_partition_offsets(dict.fromkeys(tps, OffsetSpec.LATEST), timeout_ms=REQUEST_MS)
    ends = {tp: found.offset for tp, found in latest.items()}
    groups = (settings.elasticsearch_group, settings.hdfs_group)
    lags = [lag(ends, committed_offsets(admin, group)) for group in groups]
    return Look(
        [partition["leader_id"] for partition in partitions],
        [len(partition["isr_nodes"]) for partition in partitions],
        sum(ends.values()), (lags[0], lags[1]),
    )  # fmt: skip


@contextmanager
def running(name: str, *arguments: str, log: BinaryIO, env: Mapping[str, str]) -> Iterator[None]:
    """A script that runs meanwhile; then it is asked to end, and ends by itself."""
    process = subprocess.Popen(
        script(name, *arguments), stdout=log, stderr=log, env=env, cwd=ROOT, start_new_session=True
    )
    try:
        yield
        if process.poll() is not None:
            raise UserError(f"{name} ended too early, with exit code {process.returncode}; see {LOG}")
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


@contextmanager
def brought_back(cluster: Cluster, name: str) -> Iterator[Callable[[], Future]]:
    """A function that starts the server in the background; at the end it is started in any case."""
    with ThreadPoolExecutor(1) as starter:
        started: list[Future] = []

        def start() -> Future:
            started.append(starter.submit(cluster.start, name))
            return started[0]

        try:
            yield start
        finally:
            (started[0] if started else start()).result()


def script(name: str, *arguments: str) -> list[str]:
    """The command of a script of another room."""
    return [sys.executable, str(ROOT / name), *arguments]
