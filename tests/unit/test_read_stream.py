"""What is read from a stream is billed: whatever ends the run, it is sent, or on disk."""

from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

import live
from ingest import Ingest, Stopper
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing
from sample import tweet_lines
from spill_file import SpillFile

LINES = tweet_lines(5)


class Silent:
    """A KafkaWriter that nobody answers."""

    has_room, away, acknowledged = True, False, 0

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    @property
    def in_flight(self) -> int:
        return len(self.sent)

    def pending(self) -> list[Outgoing]:
        return self.sent

    def send(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing)

    def tend(self) -> None:
        pass

    def close(self) -> None:
        pass


class Reader:
    """A StreamReader that was given all lines at once."""

    alive, fatal, connects = True, None, 1

    def __init__(self, *_: Any, **__: Any) -> None:
        self.gaps: list[Any] = []
        self.lines: SimpleQueue[bytes] = SimpleQueue()

    def start(self) -> None:
        for line in LINES:
            self.lines.put(line)

    def stop(self) -> None:
        pass


def test_a_fault_of_ours_leaves_every_line_that_was_read_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ingest: Ingest) -> None:
        if ingest.counts.read == 3:
            raise RuntimeError("a fault of ours")

    settings = replace(Settings(), spill_folder=str(tmp_path))
    monkeypatch.setattr(live, "bearer_token", lambda *_: "token")
    monkeypatch.setattr(live, "bring_in_line", lambda *_: None)
    monkeypatch.setattr(live, "open_writer", lambda _: Silent())
    monkeypatch.setattr(live, "StreamReader", Reader)
    monkeypatch.setattr(live, "stop_on_signals", Stopper)
    monkeypatch.setattr(Ingest, "_is_untended", lambda _: True)
    monkeypatch.setattr(Ingest, "_look_after", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        live.read_stream(settings, "http://127.0.0.1:1", [], live.SIMULATOR, None, None)
    kept = SpillFile(tmp_path / f"simulator-{settings.topic}.sqlite", 1 << 20)
    assert [outgoing.value for outgoing in kept.after(0, 9)] == LINES
    kept.close()
