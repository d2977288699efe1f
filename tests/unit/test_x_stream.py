"""The reader of the stream, where its own disk fails."""

from typing import Any

import pytest

import x_stream
from kafka_cluster.script import UserError
from reconnect_pace import Outcome
from x_stream import StreamReader


class FullDisk:
    """A StateFile that can be read."""

    def get(self, name: str) -> None:
        return None

    def put(self, name: str, value: Any) -> None:
        raise UserError("can't write stream.sqlite: database or disk is full")


class Cut:
    """A connection that X closes at once."""

    opened_at = refusal = None
    silent, heard_at, reason = False, 0.0, "X closed the stream"

    def __init__(self, *_: Any) -> None:
        pass

    def read(self) -> None:
        pass

    def outcome(self) -> Outcome:
        return Outcome(200, 1.0)


def test_a_full_disk_ends_no_stream_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) > 3

    monkeypatch.setattr(x_stream, "Connection", Cut)
    reader = StreamReader("token", state=FullDisk(), wait=wait)  # type: ignore[arg-type]
    reader._run()
    assert reader.connects == 3 and reader.fatal is None
    assert caplog.text.count("disk is full") == 1
