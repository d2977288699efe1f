"""`audit.py watch`: tweets in, lag of each group, what is indexed and stored, the hashtags of the last seconds."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from elasticsearch import ApiError, Elasticsearch, TransportError
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from elasticsearch_index import connect_elasticsearch
from kafka_cluster.groups import committed_offsets, lag
from kafka_cluster.kafka_options import client_options, connect, consumer_options
from kafka_cluster.plain_text import printable
from kafka_cluster.settings import READER, Settings

PLAIN_SECONDS = 5.0
IDLE_SECONDS = 4.0


@dataclass(frozen=True)
class Figures:
    """One look at the pipeline. Counts are records or documents, since the topic was made."""

    at: float
    in_topic: int
    elasticsearch_lag: int
    hdfs_lag: int
    indexed: int
    hashtags: tuple[tuple[str, int], ...]


class Watcher:
    """Asks Kafka and Elasticsearch; belongs to no consumer group and changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._elasticsearch: Elasticsearch = connect_elasticsearch(settings, READER, 1)
        self._consumer = connect(KafkaConsumer, settings, **consumer_options(settings, None))
        self._admin = connect(KafkaAdminClient, settings, **client_options(settings))

    def look(self) -> Figures:
        """Take the figures. Raises KafkaError while brokers are away."""
        partitions = self._consumer.partitions_for_topic(self._settings.topic) or ()
        ends = self._consumer.end_offsets([TopicPartition(self._settings.topic, p) for p in partitions])
        indexed, hashtags = self._ask_elasticsearch()
        return Figures(
            time.monotonic(), sum(ends.values()),
            lag(ends, committed_offsets(self._admin, self._settings.elasticsearch_group)),
            lag(ends, committed_offsets(self._admin, self._settings.hdfs_group)),
            indexed, hashtags,
        )  # fmt: skip

    def looks(self, seconds: float) -> Iterator[Figures]:
        """Figures, again and again; waits while brokers are away."""
        while True:
            with contextlib.suppress(
                KafkaError, KeyError
            ):  # the latter where a partition has no leader just now
                yield self.look()
            time.sleep(seconds)

    def close(self) -> None:
        """Release the connections."""
        self._consumer.close()
        self._admin.close()
        self._elasticsearch.close()

    def _ask_elasticsearch(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        recent = {
            "filter": {"range": {"received_at": {"gte": "now-10s"}}},
            "aggs": {"top": {"terms": {"field": "hashtags", "size": 6}}},
        }
        try:
            answer = self._elasticsearch.search(
                index=self._settings.elasticsearch_alias,
                size=0,
                track_total_hits=True,
                aggs={"recent": recent},
            )
        except (ApiError, TransportError):
            return 0, ()
        buckets = answer["aggregations"]["recent"]["top"]["buckets"]
        return answer["hits"]["total"]["value"], tuple((b["key"], b["doc_count"]) for b in buckets)


def watch(settings: Settings, until_idle: bool) -> None:
    """Show the figures until Ctrl-C; or, once standard input has ended, until nothing comes in and no group lags."""
    with contextlib.closing(Watcher(settings)) as watcher:
        _show(watcher, until_idle)


def _show(watcher: Watcher, until_idle: bool) -> None:
    console = Console(highlight=False)
    ended = threading.Event()
    if until_idle:
        threading.Thread(target=wait_for_input, args=(ended,), daemon=True).start()
    looks = watcher.looks(0.5 if console.is_terminal else 1.0)
    first = before = next(looks)
    changed_at = shown_at = first.at
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for now in looks:
            if (now.in_topic, now.elasticsearch_lag, now.hdfs_lag) != (before.in_topic, 0, 0):
                changed_at = now.at
            if console.is_terminal:
                live.update(as_table(first, before, now), refresh=True)
            elif now.at - shown_at >= PLAIN_SECONDS:
                print(as_line(before, now), flush=True)
                shown_at = now.at
            if ended.is_set() and now.at - changed_at > IDLE_SECONDS:
                return
            before = now


def wait_for_input(ended: threading.Event) -> None:
    """Set the event at the end of standard input."""
    sys.stdin.read()
    ended.set()


def rate(before: Figures, now: Figures) -> float:
    """Tweets a second into the topic between two looks."""
    return (now.in_topic - before.in_topic) / max(0.001, now.at - before.at)


def as_table(first: Figures, before: Figures, now: Figures) -> Group:
    """The view on a terminal."""
    table = Table(
        box=None, show_header=False, padding=(0, 2), title=f"{now.at - first.at:.0f} s", title_justify="left"
    )
    table.add_row("topic", f"{rate(before, now):,.0f} tweets/s", f"{now.in_topic:,} records")
    table.add_row("Elasticsearch", f"lag {now.elasticsearch_lag:,}", f"{now.indexed:,} indexed")
    table.add_row("HDFS", f"lag {now.hdfs_lag:,}", f"{now.in_topic - now.hdfs_lag:,} stored")
    # hashtags are others' words, and no markup
    return Group(table, Text(f"  last 10 s        {hashtags(now)}", no_wrap=True, overflow="ellipsis"))


def as_line(before: Figures, now: Figures) -> str:
    """The view where there is no terminal."""
    return (
        f"{rate(before, now):,.0f} tweets/s in, {now.in_topic:,} in the topic; "
        f"Elasticsearch {now.indexed:,} indexed, lag {now.elasticsearch_lag:,}; "
        f"HDFS {now.in_topic - now.hdfs_lag:,} stored, lag {now.hdfs_lag:,}; {hashtags(now)}"
    )


def hashtags(now: Figures) -> str:
    """The most used hashtags of the last ten seconds, with counts."""
    return "  ".join(f"#{printable(tag)} {count}" for tag, count in now.hashtags)
