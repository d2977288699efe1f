"""What the pipeline says about itself, for the dashboard "Pipeline health": small documents in an index of their own.

An event is `{"@timestamp", "source": producer | elasticsearch | hdfs, "event", ...}`; events-index.json has its fields.

| event          | fields                                                             | written by
| -------------- | ------------------------------------------------------------------ | ----------
| `counts`       | `received`, `acknowledged`, `redelivered`, `control`               | producer
| `counts`       | `indexed`, `existing`                                              | elasticsearch
| `dead_letters` | `dead_letters`, `reason`                                           | producer, elasticsearch
| `gap`          | `gap_from`, `gap_to`, `gap_seconds`, `last_id`, `filled`, `reason` | producer
| `lost`         | `lost`, `reason`: deleted by retention before read                 | elasticsearch, hdfs
| `lag`          | `lag`; of hdfs also `stored`                                       | group A, for both groups

Counters are what came since the event before, so that sums are right; `lag` is a state. Best effort: nothing here
waits for Elasticsearch or raises. What it does not take is dropped and counted.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, AuthorizationException, Elasticsearch

from kafka_cluster.elasticsearch_options import elasticsearch_options, has_login
from kafka_cluster.message import timestamp
from kafka_cluster.settings import WRITER, Settings

log = logging.getLogger(__name__)

INDEX_FILE = Path(__file__).with_name("events-index.json")
EVERY_SECONDS = 5.0
MAX_WAITING, MAX_BULK = 1_000, 500
REQUEST_SECONDS, CLOSE_SECONDS = 2.0, 0.5
LONGEST_REASON = 200


class PipelineEvents:
    """Takes events from any thread; a thread of its own writes them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: Queue[dict[str, Any]] = Queue(MAX_WAITING)
        self._closing = threading.Event()
        self._client: Elasticsearch | None = None
        self._template_is_there = False
        self._lock = threading.Lock()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="pipeline-events", daemon=True)
        if has_login(settings, WRITER):
            self._thread.start()
        else:
            self._closing.set()  # there is nobody to write to

    def put(self, source: str, event: str, **fields: Any) -> None:
        """Queue an event; one too many is dropped."""
        if self._closing.is_set():
            return
        if "reason" in fields:
            fields["reason"] = fields["reason"][:LONGEST_REASON]
        try:
            self._waiting.put_nowait({"@timestamp": timestamp(), "source": source, "event": event} | fields)
        except Full:
            self._drop(1, "they come faster than they are taken")

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what is queued, for so long at most."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        if self.dropped:
            log.warning("%d figures of Pipeline health were not written", self.dropped)

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            events = self._take()
            if not events:
                continue
            try:
                self._write(events)
            except (ApiError, TransportError, OSError, ValueError) as error:
                self._drop(len(events), error)

    def _take(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        try:
            events.append(self._waiting.get(timeout=0.2))
            while len(events) < MAX_BULK:
                events.append(self._waiting.get_nowait())
        except Empty:
            pass
        return events

    def _write(self, events: list[dict[str, Any]]) -> None:
        self._client = self._client or self._make_client(WRITER)
        index = self._settings.events_index
        if not self._template_is_there:
            with contextlib.closing(self._make_client(self._settings.set_up_user)) as client:
                ensure_events_template(client, index)
            self._template_is_there = True
        operations: list[dict[str, Any]] = []
        for event in events:
            operations += ({"create": {}}, event)
        answer = self._client.bulk(
            index=f"{index}-{datetime.now(UTC):%Y.%m}",
            operations=operations,
            filter_path="items.create.error",
        )
        refused = answer.get("items", [])
        if refused:
            self._drop(len(refused), refused[0]["create"]["error"].get("reason"))

    def _make_client(self, user: str) -> Elasticsearch:
        return Elasticsearch(
            **elasticsearch_options(self._settings, user),
            connections_per_node=1, max_retries=0, retry_on_timeout=False, request_timeout=REQUEST_SECONDS,
        )  # fmt: skip

    def _drop(self, count: int, why: object) -> None:
        with self._lock:
            first, self.dropped = not self.dropped, self.dropped + count
        if first:
            log.warning(
                "Elasticsearch does not take the figures of Pipeline health (%.200s): going on without", why
            )


def ensure_events_template(client: Elasticsearch, index: str) -> None:
    """Put the index template; a user without that right only looks whether it is there.

    Without it the first event would make an index of guessed types.
    """
    try:
        client.indices.put_index_template(name=index, **events_template(index))
    except AuthorizationException:
        if not client.indices.exists_index_template(name=index):
            raise ValueError(
                f"there is no index template {index}: an administrator runs  consumer.py --setup"
            ) from None


def events_template(index: str) -> dict[str, Any]:
    """The body of the index template of `<index>-<year>.<month>`."""
    body = json.loads(INDEX_FILE.read_text(encoding="utf-8"))
    # above that of the tweets, whose pattern may match too
    return {"index_patterns": [f"{index}-*"], "template": body, "priority": 800 + len(index)}


class Since:
    """Running totals -> what was added since they were last asked for; what did not grow is left out."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}

    def added(self, totals: Mapping[str, int]) -> dict[str, int]:
        """The differences."""
        grown = {name: total - self._before.get(name, 0) for name, total in totals.items()}
        self._before.update(totals)
        return {name: count for name, count in grown.items() if count > 0}


def reason_class(reason: str) -> str:
    """The kind of reason, of which there are few: `no JSON: unexpected character at 17` -> `no JSON`."""
    return reason.partition(":")[0][:LONGEST_REASON]
