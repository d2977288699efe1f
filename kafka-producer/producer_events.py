"""The producer's figures for the dashboard "Pipeline health"."""

import time
from collections.abc import Sequence
from datetime import datetime

from ingest import Counts
from kafka_cluster.message import timestamp
from kafka_cluster.pipeline_events import CLOSE_SECONDS, EVERY_SECONDS, PipelineEvents, Since
from kafka_cluster.settings import Settings
from kafka_writer import KafkaWriter
from spilling_writer import SpillingWriter
from stream_gap import Gap


class ProducerEvents:
    """Tells every 5 s what was read and acknowledged, and each gap of the stream once it is over."""

    def __init__(
        self, settings: Settings, writer: KafkaWriter | SpillingWriter, gaps: Sequence[Gap] = ()
    ) -> None:
        self._events, self._writer, self._gaps = PipelineEvents(settings), writer, gaps
        self._since, self._letters = Since(), Since()
        self._told_at, self._gaps_told = time.monotonic(), 0

    def tell(self, counts: Counts) -> None:
        """Tell, if it is time to."""
        if time.monotonic() - self._told_at >= EVERY_SECONDS:
            self._tell(counts)

    def tell_rest(self, counts: Counts) -> None:
        """Tell what has not been told yet; a gap that is still open ends here."""
        self._tell(counts)
        for gap in self._gaps[self._gaps_told :]:
            self._tell_gap(gap, gap.until or timestamp())

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait until what was told is written, so long at most."""
        self._events.close(seconds)

    def _tell(self, counts: Counts) -> None:
        self._told_at = time.monotonic()
        totals = {
            "received": counts.tweets, "acknowledged": self._writer.acknowledged,
            "redelivered": counts.redelivered, "control": counts.control, "lost": self._writer.lost,
        }  # fmt: skip
        added = self._since.added(totals)
        if added:
            self._events.put("producer", "counts", **added)
        for reason, count in self._letters.added(counts.reasons).items():
            self._events.put("producer", "dead_letters", dead_letters=count, reason=reason)
        for gap in self._gaps[self._gaps_told :]:
            if not gap.until or gap.filled is None:
                break  # they are told in order
            self._tell_gap(gap, gap.until)

    def _tell_gap(self, gap: Gap, until: str) -> None:
        self._gaps_told += 1
        seconds = (datetime.fromisoformat(until) - datetime.fromisoformat(gap.since)).total_seconds()
        last_id = {"last_id": gap.last_id} if gap.last_id else {}
        self._events.put(
            "producer", "gap", gap_from=gap.since, gap_to=until, gap_seconds=seconds, reason=gap.reason,
            filled=bool(gap.filled), **last_id,
        )  # fmt: skip
