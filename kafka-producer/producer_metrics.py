"""The producer's figures for Prometheus, read from its counters at each scrape."""

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector

from ingest import Counts
from kafka_cluster.metrics import serve
from kafka_cluster.settings import Settings
from kafka_writer import KafkaWriter
from spilling_writer import SpillingWriter
from stream_gap import Gap
from x_stream import StreamReader

PREFIX = "tweets_producer"


class ProducerMetrics(Collector):
    """`reader`: of a source that is a stream."""

    def __init__(
        self, settings: Settings, counts: Counts, writer: KafkaWriter | SpillingWriter, reader: StreamReader | None
    ) -> None:  # fmt: skip
        self._settings, self._counts, self._writer, self._reader = settings, counts, writer, reader

    def collect(self) -> Iterator[Metric]:
        """Called in a thread of the endpoint."""
        yield from self._read()
        spilling = self._writer if isinstance(self._writer, SpillingWriter) else None
        yield from self._written(spilling.kafka if spilling else self._writer)  # type: ignore[arg-type]
        if spilling:
            yield from self._spilled(spilling)
        if self._reader:
            yield from self._stream(self._reader)

    def _read(self) -> Iterator[Metric]:
        counts = self._counts
        lines = Counter(f"{PREFIX}_lines", "Lines read, by what they were", labels=["kind"])
        for kind in ("tweets", "refused", "control", "empty"):
            lines.add_metric([kind.removesuffix("s")], getattr(counts, kind))
        yield lines
        yield Counter(f"{PREFIX}_redelivered", "Tweets that came again", counts.redelivered)
        letters = Counter(f"{PREFIX}_dead_letters", "Refused lines, by kind of reason", labels=["reason"])
        for reason, count in dict(counts.reasons).items():
            letters.add_metric([reason], count)
        yield letters
        if counts.last_tweet_at:
            yield Gauge(
                f"{PREFIX}_last_tweet_timestamp_seconds", "When the last tweet was read", counts.last_tweet_at
            )

    def _written(self, kafka: KafkaWriter) -> Iterator[Metric]:
        yield Counter(
            f"{PREFIX}_acknowledged_records", "Records that all in-sync replicas have", kafka.acknowledged
        )
        yield Counter(f"{PREFIX}_resent_records", "Records sent again after a failure", kafka.resent)
        yield Gauge(f"{PREFIX}_in_flight_records", "Records without an answer yet", kafka.in_flight)
        yield Gauge(f"{PREFIX}_in_flight_bytes", "About their bytes", kafka.in_flight_bytes)
        yield Gauge(f"{PREFIX}_kafka_away", "1 while Kafka does not answer", kafka.away)

    def _spilled(self, writer: SpillingWriter) -> Iterator[Metric]:
        yield Gauge(f"{PREFIX}_spill_records", "Records that wait on disk", writer.waiting)
        yield Gauge(f"{PREFIX}_spill_bytes", "The bytes of their values", writer.waiting_bytes)
        yield Gauge(f"{PREFIX}_spill_limit_bytes", "spill_bytes", self._settings.spill_bytes)
        yield Counter(f"{PREFIX}_lost_records", "Records that the full spill file refused", writer.lost)

    def _stream(self, reader: StreamReader) -> Iterator[Metric]:
        gaps = list(reader.gaps)
        yield Gauge(f"{PREFIX}_stream_connected", "1 while the stream is connected", reader.connected)
        waiting = reader.lines.qsize()
        yield Gauge(f"{PREFIX}_stream_queue_lines", "Lines that came and are not yet read", waiting)
        yield Counter(f"{PREFIX}_stream_connects", "Connects to the stream", reader.connects)
        yield Counter(f"{PREFIX}_stream_gaps", "Gaps of the stream, an open one too", len(gaps))
        filled = sum(gap.filled is True for gap in gaps)
        yield Counter(f"{PREFIX}_stream_gaps_filled", "Gaps filled by search", filled)
        yield Counter(f"{PREFIX}_stream_gap_seconds", "Time without a connection", sum(map(_seconds, gaps)))


def serve_producer(
    settings: Settings, counts: Counts, writer: KafkaWriter | SpillingWriter, reader: StreamReader | None
) -> None:
    """Answer scrapes until the process ends."""
    registry = CollectorRegistry()
    registry.register(ProducerMetrics(settings, counts, writer, reader))
    serve(settings, "producer", registry)


def _seconds(gap: Gap) -> float:
    until = datetime.fromisoformat(gap.until) if gap.until else datetime.now(UTC)
    return (until - datetime.fromisoformat(gap.since)).total_seconds()
