"""A group's figures for Prometheus: read from the process's counters at each scrape, and its writes, measured."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from kafka.admin import KafkaAdminClient
from prometheus_client import CollectorRegistry, Histogram, Metric
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector

from kafka_cluster.groups import log_offsets, reached_offsets
from kafka_cluster.kafka_options import client_options, connect
from kafka_cluster.metrics import serve
from kafka_cluster.settings import Settings
from lane import size_of
from lost_ranges import LostRanges
from poll_loop import PollLoop
from sink import Sink, Written

PREFIX = "tweets_consumer"
LAG_SECONDS = 5.0
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DELAY_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600)
RECORDS = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000)
BYTES = tuple(1 << power for power in range(10, 26, 2))  # 1 KiB to 16 MiB


class GroupMetrics(Collector):
    """Of one process of group `name`, elasticsearch or hdfs."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings, self._name = settings, name
        self._registry = CollectorRegistry()
        self._loop: PollLoop
        self._sink: MeasuredSink
        self._lost: LostRanges
        self._lag: GroupLag

    def measure(self, sink: Sink) -> Sink:
        """The same sink, its writes measured."""
        self._sink = MeasuredSink(sink, self._name, self._registry)
        return self._sink

    def serve(self, loop: PollLoop, lost: LostRanges) -> None:
        """Answer scrapes until the process ends."""
        self._loop, self._lost = loop, lost
        self._lag = GroupLag(self._settings, self._name)
        self._registry.register(self)
        serve(self._settings, self._name, self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called in a thread of the endpoint."""
        progress, lost = self._loop.progress, self._lost
        written = progress.written
        records = Counter(f"{PREFIX}_records", "Records done with", labels=["group", "outcome"])
        for outcome in ("new", "existing", "dead", "forgotten"):
            records.add_metric([self._name, outcome], getattr(written, outcome))
        yield records
        letters = Counter(f"{PREFIX}_dead_letters", "By kind of reason", labels=["group", "reason"])
        for reason, count in dict(written.reasons).items():
            letters.add_metric([self._name, reason], count)
        yield letters
        yield self._counter("resent_records", "Records sent again within a write", self._sink.resent)
        yield self._counter("restarts", "Times that a partition had to be started anew", progress.restarts)
        yield self._counter("lost_ranges", "Ranges that Kafka deleted before they were read", lost.ranges)
        yield self._counter("lost_records", "Records of those ranges", lost.records)
        yield self._gauge("partitions", "Partitions that this process has", self._loop.owned())
        if self._sink.last_write_at:
            at = self._sink.last_write_at
            yield self._gauge("last_write_timestamp_seconds", "When records were last made safe", at)
        behind = Gauge(
            f"{PREFIX}_lag_records", "What the whole group has yet to commit", labels=["group", "partition"]
        )
        for partition, count in self._lag.by_partition.items():
            behind.add_metric([self._name, str(partition)], count)
        yield behind

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = Counter(f"{PREFIX}_{name}", text, labels=["group"])
        family.add_metric([self._name], value)
        return family

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = Gauge(f"{PREFIX}_{name}", text, labels=["group"])
        family.add_metric([self._name], value)
        return family


class MeasuredSink:
    """A sink that knows how long its writes took, and of how much; everything else is the sink's own."""

    def __init__(self, sink: Sink, name: str, registry: CollectorRegistry) -> None:
        def histogram(what: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            made = Histogram(f"{PREFIX}_{what}", text, ["group"], registry=registry, buckets=buckets)
            return made.labels(name)

        self._sink = sink
        self.last_write_at = 0.0
        self._seconds = histogram("write_seconds", "How long a write took that ended well", SECONDS)
        self._records = histogram("write_records", "Records of a write", RECORDS)
        self._bytes = histogram("write_bytes", "About the bytes of a write", BYTES)
        self._delay = histogram(
            "delay_seconds", "From Kafka's log to safety, of the oldest record of a write", DELAY_SECONDS
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def write(self, claim: Any, records: list[Any], cancelled: threading.Event) -> Written:
        """The sink's own; one that raises is not measured."""
        started = time.monotonic()
        written = self._sink.write(claim, records, cancelled)
        self.last_write_at = time.time()
        self._seconds.observe(time.monotonic() - started)
        self._records.observe(len(records))
        self._bytes.observe(sum(map(size_of, records)))
        self._delay.observe(max(0.0, self.last_write_at - records[0].timestamp / 1000))
        return written


class GroupLag:
    """Asks Kafka every 5 s, in a thread of its own: the consumer knows no end offsets while it is paused.

    `by_partition`: records that are not committed yet; empty while nobody can say.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._group = settings.elasticsearch_group if name == "elasticsearch" else settings.hdfs_group
        self._admin: KafkaAdminClient | None = None
        self.by_partition: dict[int, int] = {}
        threading.Thread(target=self._run, name="group-lag", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.by_partition = self._look()
            except Exception:  # brokers are away; the next look asks others
                self.by_partition = {}
                if self._admin:
                    self._admin.close()
                self._admin = None
            time.sleep(LAG_SECONDS)

    def _look(self) -> dict[int, int]:
        self._admin = admin = self._admin or connect(
            KafkaAdminClient, self._settings, **client_options(self._settings)
        )
        starts, ends = log_offsets(admin, self._settings.topic)
        reached = reached_offsets(admin, self._group, starts)
        return {tp.partition: max(0, end - reached[tp]) for tp, end in sorted(ends.items())}
