"""What waits on disk while Kafka is away: nothing is lost, the order is kept, the size is bounded."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_cluster.script import UserError
from kafka_writer import Outgoing
from spill_file import SpillFile
from spilling_writer import SpillingWriter


def record(number: int) -> Outgoing:
    return Outgoing("tweets", b"%d" % number, b"value %d" % number, [("source", "시뮬레이터".encode())])


def values(records: list[Outgoing]) -> list[bytes]:
    return [outgoing.value for outgoing in records]


class Kafka:
    """A KafkaWriter that answers when the test lets it."""

    def __init__(self, room: int = 10_000) -> None:
        self.on_acknowledged: Callable[[Outgoing], None] = print
        self.sent: list[Outgoing] = []
        self.away, self.room = False, room

    @property
    def has_room(self) -> bool:
        return self.in_flight < self.room

    @property
    def in_flight(self) -> int:
        return len(self.pending())

    @property
    def acknowledged(self) -> int:
        return len(self.sent) - self.in_flight

    def pending(self) -> list[Outgoing]:
        return [outgoing for outgoing in self.sent if not outgoing.acknowledged]

    def send(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing)

    def answer(self) -> None:
        for outgoing in self.pending():
            outgoing.acknowledged = True
            self.on_acknowledged(outgoing)

    def tend(self) -> None:
        pass

    def close(self) -> None:
        pass


def writer_of(kafka: Kafka, path: Path, max_bytes: int = 1 << 20) -> SpillingWriter:
    return SpillingWriter(kafka, SpillFile(path, max_bytes))  # type: ignore[arg-type]


def test_what_kafka_takes_at_once_never_touches_the_disk(tmp_path: Path) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill")
    writer.send(record(1))
    kafka.answer()
    assert (writer.waiting, writer.flush(0)) == (0, 0)
    writer.close()
    assert not list(tmp_path.iterdir()), "an empty file is removed"


def test_after_kafka_was_away_everything_goes_on_in_order(tmp_path: Path) -> None:
    kafka = Kafka(room=3)
    writer = writer_of(kafka, tmp_path / "spill")
    for number in range(2):
        writer.send(record(number))
    kafka.away = True
    for number in range(2, 9):
        writer.send(record(number))
    assert writer.waiting == 9, "what was sent without an answer is kept too"
    assert len(kafka.sent) == 2
    kafka.away = False
    for number in range(9, 12):
        kafka.answer()
        writer.tend()
        writer.send(record(number))
    while writer.flush(0):
        kafka.answer()
    assert values(kafka.sent) == [b"value %d" % number for number in range(12)]
    assert writer.waiting == 0


def test_killed_while_kafka_was_away_the_next_run_sends_what_waits(tmp_path: Path) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill")
    writer.send(record(0))
    kafka.away = True
    writer.tend()
    writer.send(record(1))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for file in tmp_path.glob("spill*"):
        shutil.copy(file, crashed)  # as a kill -9 leaves it
    again = Kafka()
    second = writer_of(again, crashed / "spill")
    second.send(record(2))
    second.flush(0)
    assert values(again.sent) == [b"value 0", b"value 1", b"value 2"]
    assert again.sent[0].headers == record(0).headers and again.sent[0].key == b"0"
    again.answer()
    assert second.flush(0) == 0 and second.waiting == 0


@given(kept=st.integers(0, 100))
def test_a_torn_end_costs_no_more_than_the_end(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    folder = tmp_path_factory.mktemp("torn")
    spill = SpillFile(folder / "spill", 1 << 20)
    spill.put([record(number) for number in range(40)])
    (folder / "copy").write_bytes((folder / "spill").read_bytes())
    log = (folder / "spill-wal").read_bytes()
    (folder / "copy-wal").write_bytes(log[: len(log) * kept // 100] + b"torn")
    found = values(SpillFile(folder / "copy", 1 << 20).after(0, 100))
    assert found == [b"value %d" % number for number in range(len(found))]
    assert len(found) >= 40 * kept // 100 - 10


def test_a_record_that_is_said_to_be_acknowledged_twice_is_counted_once(tmp_path: Path) -> None:
    """Once by the client's thread, and once by a look after it was put down: whoever comes last knows of it."""
    spill = SpillFile(tmp_path / "spill", 99)
    records = [record(0), record(1)]
    spill.put(records)
    spill.discard([records[0], records[0]])
    assert len(spill) == 1 and values(spill.after(0, 9)) == [b"value 1"]


def test_a_full_file_is_said_and_counted_and_blocks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill", max_bytes=20)
    kafka.away = True
    for number in range(9):
        writer.send(record(number))
    assert (writer.waiting, writer.lost) == (2, 7)
    assert "is full" in caplog.text and "7 LOST" in writer.what_is_left()


def test_what_is_in_flight_at_the_end_and_finds_no_room_is_counted_as_lost(tmp_path: Path) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill", max_bytes=20)
    for number in range(5):
        writer.send(record(number))
    writer.flush(0)
    assert writer.lost == 0, "they may still be acknowledged"
    kafka.sent[4].acknowledged = True
    writer.close()
    assert (writer.waiting, writer.lost) == (2, 2) and "2 LOST" in writer.what_is_left()


def test_a_flush_that_is_interrupted_leaves_what_is_in_flight_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill")
    for number in range(3):
        writer.send(record(number))
    monkeypatch.setattr(time, "sleep", lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        writer.flush(9)
    assert writer.waiting == 3


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """A full disk, for this process alone."""
    resource = pytest.importorskip("resource", reason="Windows has none")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_acknowledged_tweets_that_a_full_disk_left_in_the_file_are_removed_later(tmp_path: Path) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill")
    kafka.away = True
    for number in range(5):
        writer.send(record(number))
    kafka.away = False
    writer.tend()
    kafka.answer()
    with no_file_grows_beyond((tmp_path / "spill-wal").stat().st_size):
        writer.tend()
        assert writer.waiting == 5
    writer.tend()
    assert (writer.waiting, writer.waiting_bytes, writer.what_is_left()) == (0, 0, "")
    assert len(kafka.sent) == 5


def test_a_second_producer_is_refused(tmp_path: Path) -> None:
    first = SpillFile(tmp_path / "spill", 99)
    with pytest.raises(UserError, match="another producer uses it"):
        SpillFile(tmp_path / "spill", 99)
    first.close()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spill").write_bytes(b"something else" * 99)
    with pytest.raises(UserError, match="can't use the spill file"):
        SpillFile(tmp_path / "spill", 99)


def test_a_file_that_was_cut_off_is_said_to_be_damaged_with_what_to_do(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path / "spill", 1 << 20)
    spill.put([Outgoing("tweets", None, b"x" * 9_000, []) for _ in range(20)])
    spill.close()  # all is in the main file now, as when the log has grown to 4 MB
    whole = (tmp_path / "spill").read_bytes()
    (tmp_path / "spill").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        UserError, match=r"spill file .*/spill: it is damaged .* move it .* sqlite3 spill \.dump"
    ):
        SpillFile(tmp_path / "spill", 1 << 20)


def test_an_answer_that_comes_while_records_are_put_aside_counts_once(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path / "spill.sqlite", 1 << 20)
    records = [record(number) for number in range(3)]
    spill.put(records)
    spill.discard([records[0], records[0]])
    assert (len(spill), values(spill.after(0, 9))) == (2, values(records[1:]))
    spill.close()


def test_a_failure_leaves_what_is_in_flight_on_disk_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = Kafka()
    writer = writer_of(kafka, tmp_path / "spill")
    with pytest.raises(ZeroDivisionError), writer.kept_if_it_fails():
        for number in range(4):
            writer.send(record(number))
        kafka.answer()
        writer.send(record(4))
        _ = 1 / 0
    assert "1 wait in" in caplog.text
    assert values(SpillFile(tmp_path / "spill", 99).after(0, 9)) == [b"value 4"]
