"""A writer for sources that can't wait: what Kafka does not take at once waits on disk, and goes on in order.

While Kafka is away everything that has no answer yet is in the spill file, also what was sent already, so that a
kill -9 loses nothing of it. Such a record may be in the topic twice, and is once in Elasticsearch.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from kafka_cluster.script import uninterrupted
from kafka_cluster.topics import UnusableTopic
from kafka_writer import KafkaWriter, Outgoing
from spill_file import SpillFile

log = logging.getLogger(__name__)

DRAIN_RECORDS = 500
TEND_SECONDS = 0.05


class SpillingWriter:
    """Sends records through a KafkaWriter, or keeps them; never blocks. `lost`: records that found no room on disk."""

    has_room = True

    def __init__(self, writer: KafkaWriter, spill: SpillFile) -> None:
        self._writer, self._spill = writer, spill
        self._acknowledged: deque[Outgoing] = (
            deque()
        )  # kept records that can go; filled by the client's thread
        self._handed_over = 0  # the number up to which kept records were given to the writer
        self._spilling = False
        self.lost = 0
        writer.on_acknowledged = self._note
        if spill:
            log.warning(
                "%s records of an earlier run wait in %s: they go first", f"{len(spill):,}", spill.path
            )
            self._spilling = True

    @property
    def kafka(self) -> KafkaWriter:
        """What sends the records."""
        return self._writer

    @property
    def acknowledged(self) -> int:
        """Records that all in-sync replicas have."""
        return self._writer.acknowledged

    @property
    def waiting(self) -> int:
        """Records in the spill file."""
        return len(self._spill)

    @property
    def waiting_bytes(self) -> int:
        """The bytes of their values."""
        return self._spill.value_bytes

    def send(self, outgoing: Outgoing) -> None:
        """Send a record, or keep it behind those that wait."""
        if not self._spilling and (self._writer.away or not self._writer.has_room):
            self._start_spilling()
        if self._spilling:
            self._keep([outgoing])
        else:
            self._writer.send(outgoing)

    def tend(self) -> None:
        """Look after the writer, and give it what waits. Call it several times a second.

        Raises UnusableTopic where nothing can be sent until a person does something; then everything waits on disk.
        """
        try:
            self._writer.tend()
        except UnusableTopic:
            if not self._spilling:
                self._start_spilling()
            raise
        self._discard_acknowledged()
        if self._writer.away:
            if not self._spilling:
                self._start_spilling()
        elif self._spilling:
            self._drain()

    def flush(self, seconds: float) -> int:
        """Wait until Kafka has everything, at most so long; what it has not is kept. Returns how many records."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.tend()
                if not self._spilling and not self._writer.in_flight:
                    return 0
                if time.monotonic() > deadline:
                    break
                time.sleep(TEND_SECONDS)
        finally:  # also where somebody asked twice: then it raises KeyboardInterrupt
            self._put_aside()
        return len(self._spill) + self.lost

    @contextmanager
    def kept_if_it_fails(self) -> Iterator[None]:
        """Around what reads and sends: whatever ends it, what is in flight goes to disk; it was billed."""
        try:
            yield
        except BaseException:
            self._put_aside()
            self.close()
            if left := self.what_is_left():
                log.error("ended by a failure%s", left)
            raise

    def close(self) -> None:
        """Release connections and file; what is in neither by now is `lost`."""
        self._writer.close()
        self._discard_acknowledged()
        self.lost += sum(each.kept is None and not each.acknowledged for each in self._writer.pending())
        self._spill.close()

    def what_is_left(self) -> str:
        """What became of records that Kafka has not acknowledged, for people."""
        text = (
            f", {self.waiting:,} wait in {self._spill.path}: the next run sends them" if self.waiting else ""
        )
        return text + (f", {self.lost:,} LOST: the spill file was full (spill_bytes)" if self.lost else "")

    def _note(self, outgoing: Outgoing) -> None:
        if outgoing.kept is not None:
            self._acknowledged.append(outgoing)

    def _discard_acknowledged(self) -> None:
        done = [self._acknowledged.popleft() for _ in range(len(self._acknowledged))]
        self._acknowledged.extend(self._spill.discard(done))  # what is left is tried again

    def _start_spilling(self) -> None:
        pending = [outgoing for outgoing in self._writer.pending() if outgoing.kept is None]
        log.warning("Kafka is slow or away: tweets wait in %s", self._spill.path)
        self._spill.put(pending)  # what finds no room is still in memory
        self._handed_over = self._spill.last
        self._spilling = True
        for outgoing in pending:
            if outgoing.acknowledged:  # meanwhile, without a number that could be noted
                self._note(outgoing)

    def _put_aside(self) -> None:
        if self._writer.in_flight and not self._spilling:
            with uninterrupted():
                self._start_spilling()

    def _keep(self, records: list[Outgoing]) -> None:
        refused = self._spill.put(records)
        if refused and not self.lost:
            log.error("%s is full: tweets are lost from now on (spill_bytes)", self._spill.path)
        self.lost += refused

    def _drain(self) -> None:
        while self._writer.has_room:
            batch = self._spill.after(self._handed_over, DRAIN_RECORDS)
            if not batch:
                self._spilling = False
                log.info("Kafka has been given everything that waited")
                return
            for outgoing in batch:
                self._writer.send(outgoing)
            self._handed_over = batch[-1].kept or 0
