"""Group A's figures for the dashboard "Pipeline health", and the progress of both groups, as Kafka knows it.

Group B has no need of Elasticsearch, so its progress is read from its committed offsets. Of several processes of
group A the one that owns partition 0 speaks for the groups.
"""

import logging
import threading
from collections.abc import Callable

from kafka.admin import KafkaAdminClient

from kafka_cluster.groups import Offsets, lag, log_offsets, reached_offsets
from kafka_cluster.kafka_options import client_options, connect
from kafka_cluster.pipeline_events import EVERY_SECONDS, PipelineEvents, Since
from kafka_cluster.settings import Settings
from sink import Written

log = logging.getLogger(__name__)

CLOSE_SECONDS = 1.0


class GroupEvents:
    """Writes events every 5 s, in a thread of its own. `written`: totals; `speaks`: for the groups too."""

    def __init__(
        self, settings: Settings, written: Callable[[], Written], speaks: Callable[[], bool]
    ) -> None:
        self._settings, self._written, self._speaks = settings, written, speaks
        self._events = PipelineEvents(settings)
        self._counts, self._letters = Since(), Since()
        self._progress: GroupProgress | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="group-events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell what happened since the last time, and end, within two seconds."""
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)
        self._events.close()

    def _run(self) -> None:
        self._tell_progress()  # from here on progress is counted
        while not self._closing.wait(EVERY_SECONDS):
            self._tell_counts()
            self._tell_progress()
        self._tell_counts()
        self._tell_progress()
        if self._progress:
            self._progress.close()

    def _tell_counts(self) -> None:
        written = self._written()
        counts = self._counts.added({"indexed": written.new, "existing": written.existing})
        if counts:
            self._events.put("elasticsearch", "counts", **counts)
        for reason, count in self._letters.added(dict(written.reasons)).items():
            self._events.put("elasticsearch", "dead_letters", dead_letters=count, reason=reason)

    def _tell_progress(self) -> None:
        try:
            self._progress = self._progress or GroupProgress(self._settings)
            own_lag, hdfs_lag, stored = self._progress.look()
        except Exception as error:  # brokers are away; whatever it is, the next round may see them
            log.debug("progress of the groups: %s", error)
            return
        if self._speaks():
            self._events.put("elasticsearch", "lag", lag=own_lag)
            self._events.put("hdfs", "lag", lag=hdfs_lag, stored=stored)


class GroupProgress:
    """Asks Kafka how far both groups are. Raises KafkaError or UserError while brokers are away."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic
        self._elasticsearch_group, self._hdfs_group = settings.elasticsearch_group, settings.hdfs_group
        self._admin = connect(KafkaAdminClient, settings, **client_options(settings))
        self._stored: Offsets = {}

    def look(self) -> tuple[int, int, int]:
        """Records that group A, group B have yet to commit; records that group B stored since the last look."""
        starts, ends = log_offsets(self._admin, self._topic)
        own, hdfs = (
            reached_offsets(self._admin, self._elasticsearch_group, starts),
            reached_offsets(self._admin, self._hdfs_group, starts),
        )
        stored = newly_stored(self._stored, hdfs, starts)
        self._stored = {tp: max(offset, self._stored.get(tp, 0)) for tp, offset in hdfs.items()}
        return lag(ends, own), lag(ends, hdfs), stored

    def close(self) -> None:
        """Release the connections."""
        self._admin.close()


def newly_stored(highest: Offsets, reached: Offsets, starts: Offsets) -> int:
    """Records above the highest offsets seen: a reading from the beginning stores nothing anew. What lies below the
    log's start, Kafka's retention has deleted, and it may never have been stored."""
    return sum(max(0, end - max(highest.get(tp, end), starts.get(tp, 0))) for tp, end in reached.items())
