"""What producer.py's subcommands do."""

import logging
import signal
import sys
import time
from datetime import UTC, datetime
from itertools import islice

from kafka.errors import KafkaError

from batching_producer import BatchingProducer
from file_replay import open_lines, read_lines
from ingest import Counts, Ingest, Stopper
from kafka_cluster.kafka_options import connect
from kafka_cluster.metrics import wants_metrics
from kafka_cluster.pipeline_events import CLOSE_SECONDS
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import UnusableTopic, ensure_topics
from kafka_writer import KafkaWriter, Outgoing
from producer_events import ProducerEvents
from progress import Progress
from spilling_writer import SpillingWriter
from tweet_generator import TweetGenerator
from x_stream import StreamReader

log = logging.getLogger(__name__)

FLUSH_SECONDS = 30
ASKED_SECONDS, ASKED_EVENTS_SECONDS = 0.8, 0.2
"""Whoever asks us to end waits 2 s at most, and the process needs half a second to be gone."""
SAMPLE_RATE = 300.0


def replay(settings: Settings, file: str, rate: float | None, limit: int | None, dry_run: bool) -> int:
    """Send a file's lines; returns 0, or 1 where Kafka has not acknowledged everything. Raises UserError."""
    stream = open_lines(file)
    if dry_run:
        dry = Ingest(settings, Nowhere(), "replay", stop_on_signals(), Progress())
        dry.run(read_lines(stream, file), rate, limit)
        print(f"{dry.counts}; nothing was sent")
        return 0
    writer = open_writer(settings)
    progress = Progress(lambda: f", {writer.in_flight:,} in flight")
    events = ProducerEvents(settings, writer)
    stopper = stop_on_signals()
    ingest = Ingest(settings, writer, "replay", stopper, progress, events.tell)
    serve_metrics(settings, ingest.counts, writer)
    try:
        ingest.run(read_lines(stream, file), rate, limit)
    except UnusableTopic:
        writer.close()
        raise
    except UserError as error:
        finish(writer, progress, ingest.counts, events)
        raise UserError(f"{error}{' (what came before it is sent)' if ingest.counts.read else ''}") from None
    # the file is still there: what is not acknowledged is said, and sent by the next run
    seconds = (ASKED_SECONDS, ASKED_EVENTS_SECONDS) if stopper.asked else ()
    return finish(writer, progress, ingest.counts, events, *seconds)


def print_sample(count: int, seed: int, rate: float | None) -> int:
    """Print generated tweets, born from now on; with a rate, in real time."""
    start = datetime.now(UTC)
    lines = TweetGenerator(seed, start).lines(start, rate or SAMPLE_RATE)
    started = time.monotonic()
    for number, line in enumerate(islice(lines, count)):
        if rate:
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
        sys.stdout.buffer.write(line + b"\r\n")
        if rate:
            sys.stdout.buffer.flush()
    return 0


def open_writer(settings: Settings) -> KafkaWriter:
    """A writer, after a look at the topics. Raises UserError when no broker answers, or a topic must not be used."""
    for warning in ensure_topics(settings):
        log.warning("%s", warning)
    try:
        return KafkaWriter(settings, lambda **options: connect(BatchingProducer, settings, **options))
    except KafkaError as error:  # the brokers stopped answering just now
        servers = ",".join(settings.bootstrap_servers)
        raise UserError(f"Kafka at {servers} does not get ready: {error}") from None


def serve_metrics(
    settings: Settings,
    counts: Counts,
    writer: KafkaWriter | SpillingWriter,
    reader: StreamReader | None = None,
) -> None:
    """Figures for Prometheus, where they are wanted."""
    if wants_metrics(settings):
        from producer_metrics import serve_producer  # imports the library

        serve_producer(settings, counts, writer, reader)


def finish(
    writer: KafkaWriter | SpillingWriter, progress: Progress, counts: Counts, events: ProducerEvents,
    seconds: float = FLUSH_SECONDS, events_seconds: float = CLOSE_SECONDS,
) -> int:  # fmt: skip
    """Wait for the last acknowledgements, and say what was done; returns 1 where some are missing."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # asked twice: don't wait
    writer.flush(seconds)
    events.tell_rest(counts)  # it is written while the writer closes
    writer.close()
    if writer.lost:  # what was in flight, and found no room on disk, is counted only now
        events.tell_rest(counts)
    events.close(events_seconds)
    progress.end()
    left = writer.what_is_left()
    print(f"{counts}; {writer.acknowledged:,} acknowledged by Kafka{left}")
    return 1 if left else 0


class Nowhere:
    """The writer of a dry run."""

    has_room = True

    def send(self, outgoing: Outgoing) -> None:
        """Forget it."""

    def tend(self) -> None:
        """Nothing is in flight."""


def stop_on_signals() -> Stopper:
    """A stopper that SIGINT and SIGTERM reach."""
    stopper = Stopper()
    signal.signal(signal.SIGINT, stopper)
    signal.signal(signal.SIGTERM, stopper)
    return stopper
