"""Brokers that stop answering while the producer starts."""

from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

import sources
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings


def test_brokers_that_stop_answering_at_the_start_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen:
        def partitions_for(self, topic: str) -> None:
            raise KafkaTimeoutError("Failed to update metadata after 2.0 secs.")

    def connected(*_: Any, **__: Any) -> Frozen:
        return Frozen()

    monkeypatch.setattr(sources, "ensure_topics", lambda _: [])
    monkeypatch.setattr(sources, "connect", connected)
    with pytest.raises(UserError, match="does not get ready: KafkaTimeoutError"):
        sources.open_writer(Settings())
