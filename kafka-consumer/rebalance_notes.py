"""What the group's coordinator says about our partitions, noted for the poll thread."""

from queue import SimpleQueue
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition


class RebalanceNotes(ConsumerRebalanceListener):
    """Only takes notes: callbacks run on the client's I/O loop, where nothing may block."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._notes: SimpleQueue[tuple[str, list[TopicPartition]]] = SimpleQueue()

    def take(self) -> list[tuple[str, list[TopicPartition]]]:
        """The notes since the last call, in order: (assigned | revoked | lost, partitions)."""
        return [self._notes.get() for _ in range(self._notes.qsize())]

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Paused at once: nothing may be handed out before the poll thread has a lane for it."""
        self._consumer.pause(*assigned)
        self._notes.put(("assigned", list(assigned)))

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Given up in good order."""
        self._notes.put(("revoked", list(revoked)))

    def on_partitions_lost(self, lost: Any) -> None:
        """Taken away while we were silent: others may own them by now."""
        self._notes.put(("lost", list(lost)))
