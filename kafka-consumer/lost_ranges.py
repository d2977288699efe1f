"""A range that Kafka's retention deleted before a group had it is told where people look: log, audit, dashboard."""

import logging

from dead_letter_writer import DeadLetterWriter
from kafka_cluster.pipeline_events import PipelineEvents
from kafka_cluster.settings import Settings

log = logging.getLogger(__name__)


class LostRanges:
    """Of one group. `source`: elasticsearch or hdfs; `verb`: what it does to a record.

    `ranges`, `records`: how many of them were lost, as this process has told.
    """

    def __init__(self, settings: Settings, source: str, verb: str, letters: DeadLetterWriter) -> None:
        self._settings, self._source, self._verb, self._letters = settings, source, verb, letters
        self._events: PipelineEvents | None = None
        self.ranges = self.records = 0

    def tell(self, partition: int, offsets: range) -> None:
        """Returns when the topic of dead letters has it, else raises KafkaError: no offset behind may be committed."""
        log.error(
            "%s: partition %d: offsets %d to %d were deleted by Kafka's retention before they were %s",
            self._source, partition, offsets[0], offsets[-1], self._verb,
        )  # fmt: skip
        self._letters.lost(partition, offsets)
        self.ranges += 1
        self.records += len(offsets)
        self._events = self._events or PipelineEvents(self._settings)
        reason = f"partition {partition}, offsets {offsets[0]} to {offsets[-1]}"
        self._events.put(self._source, "lost", lost=len(offsets), reason=reason)

    def close(self) -> None:
        """Release the connections."""
        if self._events:
            self._events.close()
        self._letters.close()
