"""What the group's coordinator says about our partitions, noted for the poll thread."""

from queue import SimpleQueue
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor


class Assignor(CooperativeStickyAssignor):
    """kafka-python 3.0.12 goes on claiming partitions that it has lost. Then those that should move wait for us to give
    them up, which we never do: nobody reads them until somebody else joins or leaves."""

    def forget(self) -> None:
        """Claim nothing when we join again."""
        self.member_assignment = None


class RebalanceNotes(ConsumerRebalanceListener):
    """Only takes notes: callbacks run on the client's I/O loop, where nothing may block."""

    def __init__(self, consumer: KafkaConsumer, assignor: Assignor) -> None:
        self._consumer, self._assignor = consumer, assignor
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
        self._assignor.forget()
        self._notes.put(("lost", list(lost)))
