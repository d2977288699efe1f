"""The loop of a group beside a sink that takes nothing, or little: what it buffers is bounded, and reading goes on."""

import time
from collections.abc import Iterator
from threading import Event, Semaphore
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError

from finish_line import FinishLine
from poll_loop import PollLoop
from rebalance_notes import Assignor
from sink import Cancelled, Sink, Written

MIB = 1 << 20


class Consumer:
    """As much of a KafkaConsumer as the loop needs; a poll gives a record of 1 MiB for each partition not paused."""

    config = {"auto_offset_reset": "earliest"}  # noqa: RUF012

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.positions: dict[TopicPartition, int] = {}
        self.read: dict[TopicPartition, Any] = {}
        self.commits: dict[TopicPartition, int] = {}
        self.listener: Any = None

    def subscribe(self, _: list[str], listener: Any) -> None:
        self.listener = listener

    def assign(self, partitions: range) -> None:
        tps = [TopicPartition("tweets", number) for number in partitions]
        self.positions |= dict.fromkeys(tps, 0)
        self.listener.on_partitions_assigned(tps)

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def pause(self, *tps: TopicPartition) -> None:
        self.paused |= set(tps)

    def resume(self, *tps: TopicPartition) -> None:
        self.paused -= set(tps)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        return {tp: [self._record(tp)] for tp in self.positions if tp not in self.paused}

    def _record(self, tp: TopicPartition) -> Any:
        self.positions[tp] += 1
        return SimpleNamespace(offset=self.positions[tp] - 1, size=MIB)

    def committed(self, *_: Any, **__: Any) -> None:
        return None

    def beginning_offsets(self, tps: list[TopicPartition], **_: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    def end_offsets(self, tps: list[TopicPartition], **_: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 1_000_000)

    def commit(self, offsets: dict[TopicPartition, Any], **_: Any) -> None:
        self.commits |= {tp: each.offset for tp, each in offsets.items()}

    def highwater(self, tp: TopicPartition) -> int:
        return self.positions[tp]


class Stuck(Sink):
    """Its servers are away: a write waits until it is let through, or told that it may end."""

    name, verb, fenced, topic_id, workers = "stuck", "kept", False, "id", 2
    flush_bytes, flush_seconds, max_write_bytes = 8 * MIB, 0.0, 4 * MIB
    resent = 0

    def __init__(self) -> None:
        self.through = Semaphore(0)

    def write(self, claim: Any, records: list[Any], cancelled: Event) -> Written:
        while not cancelled.is_set():
            if self.through.acquire(timeout=0.01):
                return Written(new=len(records))
        raise Cancelled

    def close(self) -> None:
        pass


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def sink() -> Stuck:
    return Stuck()


@pytest.fixture
def turns(consumer: Consumer, sink: Stuck) -> Iterator[Any]:
    """Runs the loop for so many turns; returns the bytes that it holds then."""
    loop = PollLoop(consumer, Assignor(), "tweets", sink, Event(), tell_lost=lambda *_: None)  # type: ignore[arg-type]
    consumer.subscribe([], loop._listener)

    def run(count: int) -> int:
        for _ in range(count):
            loop._turn(loop._poll())
        return sum(lane.waiting_bytes + lane.writing_bytes for lane in loop._lanes.values())

    yield run
    for lane in loop._lanes.values():
        lane.cancelled.set()
    loop._workers.shutdown()


def test_what_is_buffered_is_bounded_also_when_partitions_come_while_nothing_can_be_written(
    consumer: Consumer, turns: Any
) -> None:
    consumer.assign(range(3))
    held = turns(60)
    assert held <= 24 * MIB
    consumer.assign(range(3, 6))
    assert turns(60) == held


def test_reading_goes_on_once_there_is_room_for_a_write(consumer: Consumer, turns: Any, sink: Stuck) -> None:
    """Where it waits until less is buffered than a write asks for, the next writes are small."""
    consumer.assign(range(3))
    held = turns(60)
    assert len(consumer.paused) == 3
    deadline = time.monotonic() + 10
    while consumer.paused:
        before = held
        sink.through.release()
        while (held := turns(1)) == before:
            assert time.monotonic() < deadline
    assert held > sink.flush_bytes


class Transactional(Consumer):
    """Each poll gives two transactions of one record, each followed by its marker, which is an offset of its own."""

    jumped = False

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        given = {}
        for tp in self.positions:
            at = self.positions[tp]
            if tp in self.paused or at >= 400:
                continue
            given[tp] = [SimpleNamespace(offset=at + more, size=100) for more in (0, 2)]
            self.positions[tp] = at + 4
            since = at if self.jumped or tp not in self.read else self.read[tp].since
            self.read[tp] = SimpleNamespace(since=since, next_fetch_offset=at + 4)
        return given


@pytest.fixture
def transactions(sink: Stuck) -> Iterator[Any]:
    """A loop on a log of transactions, whose writes go through at once."""
    consumer: Any = Transactional()
    loop = PollLoop(consumer, Assignor(), "tweets", sink, Event(), tell_lost=lambda *_: None)
    consumer.subscribe([], loop._listener)
    consumer.assign(range(1))
    yield loop, consumer, TopicPartition("tweets", 0)
    for lane in loop._lanes.values():
        lane.cancelled.set()
    loop._workers.shutdown()


def test_the_holes_that_transactions_leave_hold_nothing_up(transactions: Any, sink: Stuck) -> None:
    loop, consumer, tp = transactions
    sink.through.release(1_000)
    deadline = time.monotonic() + 10
    while loop.progress.written.new < 200:
        loop._turn(loop._poll())
        assert time.monotonic() < deadline
    assert loop.progress.restarts == 0
    while loop._lanes[tp].job:
        loop._turn(loop._poll())
    assert loop._commit() and consumer.commits[tp] == 400, "up to the end, behind the last marker"
    assert loop._commit() and loop._lanes[tp].done == 400


def test_nothing_is_committed_beyond_a_record_that_is_not_finished(transactions: Any) -> None:
    loop, consumer, tp = transactions
    for _ in range(5):
        loop._turn(loop._poll())
        loop._commit()
    assert loop._lanes[tp].job and consumer.commits.get(tp, 0) == 0


def test_what_was_read_before_a_new_start_says_nothing_about_what_comes(transactions: Any) -> None:
    """The same offsets are read once more: they are not finished because they were read before."""
    loop, consumer, tp = transactions
    loop._turn(loop._poll())
    loop._turn(loop._poll())
    lane = loop._lanes[tp]
    lane.cancelled.set()
    while lane.job:
        loop._turn({})
    lane.cancelled.clear()
    loop._forget(lane, "a write has failed")
    lane.due_at = 0.0
    loop._turn({})
    assert lane.active and loop._commit() and consumer.commits.get(tp, 0) == 0


def test_what_a_poll_took_before_it_failed_is_no_hole(
    transactions: Any, sink: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client may ask for more after it has taken records, and fail: then it goes on behind them."""
    loop, consumer, tp = transactions
    sink.through.release(1_000)
    for _ in range(3):
        loop._turn(loop._poll())

    def fail(timeout_ms: int) -> None:
        Transactional.poll(consumer, timeout_ms)
        raise KafkaConnectionError("broken")

    monkeypatch.setattr("poll_loop.time.sleep", lambda _: None)
    monkeypatch.setattr(consumer, "poll", fail)
    loop._turn(loop._poll())
    monkeypatch.undo()
    lane = loop._lanes[tp]
    while lane.job:
        loop._turn({})
    assert loop._commit() and lane.done < consumer.positions[tp]
    loop._turn(loop._poll())
    assert loop.progress.restarts == 1 and not lane.active


def test_a_jump_of_the_client_is_no_hole(transactions: Any, sink: Stuck) -> None:
    loop, consumer, tp = transactions
    sink.through.release(1_000)
    for _ in range(3):
        loop._turn(loop._poll())
    consumer.jumped, consumer.positions[tp] = True, 100
    loop._turn(loop._poll())
    lane = loop._lanes[tp]
    assert loop.progress.restarts == 1 and not lane.active
    while lane.job:
        loop._turn({})
    assert loop._commit() and consumer.commits.get(tp, 0) < 100


def test_the_finish_line_is_asked_for_again_where_a_partition_has_no_leader_or_a_broker_knows_no_topic() -> (
    None
):
    """kafka-python raises KeyError for the first; the other would read as a topic of which all is read."""
    known, ends = iter([set(), {0, 1}, {0, 1}]), iter([KeyError("no leader"), {"an end": 7}])

    def end_offsets(_: Any) -> Any:
        answer = next(ends)
        if isinstance(answer, KeyError):
            raise answer
        return answer

    asked: Any = SimpleNamespace(partitions_for_topic=lambda _: next(known), end_offsets=end_offsets)
    line = FinishLine(asked, "tweets", Stuck(), from_beginning=False)
    assert line._ends == {"an end": 7}
