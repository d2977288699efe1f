"""Dead letters of a rebuild: what a new index refuses is one, unless it has been one before."""

from collections.abc import Callable
from typing import Any

from dead_letter_topic import dead_letters
from dead_letter_writer import DeadLetterWriter
from kafka_cluster.message import Origin
from kafka_cluster.settings import Settings


class RebuildLetters:
    """Reads once which dead letters there are; one that group A writes meanwhile may come twice, and is read as one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known = {
            letter.origin
            for letter in dead_letters(settings)
            if letter.origin and not letter.lost and letter.group == settings.elasticsearch_group
        }
        self._writers: dict[str, DeadLetterWriter] = {}

    def of(self, topic_id: str) -> Callable[[list[tuple[Any, str]]], None]:
        """What takes the poison of the topic with this id; returns when Kafka has acknowledged it."""

        def write(poison: list[tuple[Any, str]]) -> None:
            fresh = [
                (record, reason)
                for record, reason in poison
                if self._origin(record, topic_id) not in self._known
            ]
            if fresh:
                self._writer(topic_id)(fresh)
                self._known |= {self._origin(record, topic_id) for record, _ in fresh}

        return write

    def close(self) -> None:
        """Release the producers."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, topic_id: str) -> DeadLetterWriter:
        group = self._settings.elasticsearch_group
        return self._writers.setdefault(topic_id, DeadLetterWriter(self._settings, group, topic_id))

    @staticmethod
    def _origin(record: Any, topic_id: str) -> Origin:
        return Origin(record.topic, topic_id, record.partition, record.offset)
