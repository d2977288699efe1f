"""How a run of the producer begins, and how it ends."""

import io
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

import sources
from ingest import Counts, Stopper
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing
from progress import Progress
from sample import tweet_lines


def test_brokers_that_stop_answering_at_the_start_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen:
        def partitions_for(self, topic: str) -> None:
            raise KafkaTimeoutError("Failed to update metadata after 2.0 secs.")

    def connected(*_: Any, **__: Any) -> Frozen:
        return Frozen()

    monkeypatch.setattr(sources, "ensure_topics", lambda _: [])
    monkeypatch.setattr(sources, "connect", connected)
    with pytest.raises(UserError, match=r"does not get ready: .*Failed to update metadata"):
        sources.open_writer(Settings())


def test_what_is_known_to_be_lost_only_at_the_end_is_told_and_fails_the_run() -> None:
    class Losing:
        lost = acknowledged = 0

        def flush(self, seconds: float) -> int:
            return 3

        def close(self) -> None:
            self.lost = 3

        def what_is_left(self) -> str:
            return f", {self.lost} LOST"

    class Events:
        def tell_rest(self, counts: Counts) -> None:
            told.append(writer.lost)

        def close(self, seconds: float) -> None:
            told.append("closed")

    told: list[int | str] = []
    writer = Losing()
    code = sources.finish(writer, Progress(out=io.StringIO()), Counts(), Events())  # type: ignore[arg-type]
    assert (told, code) == ([0, 3, "closed"], 1)


@pytest.mark.parametrize(
    ("asked", "seconds"), [(True, sources.ASKED_SECONDS), (False, sources.FLUSH_SECONDS)]
)
def test_whoever_asks_a_replay_to_end_waits_no_longer_for_kafka_than_with_a_stream(
    asked: bool, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        has_room, lost, acknowledged, in_flight = True, 0, 0, 3

        def send(self, outgoing: Outgoing) -> None:
            stopper.asked = asked

        def tend(self) -> None:
            pass

        def flush(self, seconds: float) -> int:
            waited.append(seconds)
            return 3

        def close(self) -> None:
            pass

        def what_is_left(self) -> str:
            return ", 3 NOT"

    waited: list[float] = []
    stopper = Stopper()
    (tmp_path / "tweets.jsonl").write_bytes(b"\n".join(tweet_lines(2)))
    monkeypatch.setattr(sources, "open_writer", lambda _: Away())
    monkeypatch.setattr(sources, "stop_on_signals", lambda: stopper)
    assert sources.replay(Settings(), str(tmp_path / "tweets.jsonl"), None, None, dry_run=False) == 1
    assert waited == [seconds]
