"""The loop of one consumer process: polls Kafka without pause, lets a sink's workers write, commits what is done."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from finish_line import FinishLine
from group_progress import GroupProgress
from kafka_cluster.script import UserError
from lane import Lane
from rebalance_notes import Assignor, RebalanceNotes
from sink import Cancelled, Sink, StopLoudly, Written
from starting_point import KAFKA_TIMEOUT_MS, BeyondEnd, StartingPoint, committed_offset

log = logging.getLogger(__name__)

POLL_MS = 100
COMMIT_SECONDS = 1.0
DRAIN_SECONDS = 10.0
BEYOND_END_TRIES = 8


class PollLoop:
    """Moves the records of one topic through a sink, until `stop` is set, which a signal handler may do."""

    def __init__(
        self, consumer: KafkaConsumer, assignor: Assignor, topic: str, sink: Sink, stop: Event,
        tell_lost: Callable[[int, range], None], from_beginning: bool = False, until_caught_up: bool = False,
    ) -> None:  # fmt: skip
        self._consumer, self._topic, self._sink = consumer, topic, sink
        self._listener = RebalanceNotes(consumer, assignor)
        self._workers = ThreadPoolExecutor(sink.workers, thread_name_prefix=sink.name)
        self._lanes: dict[TopicPartition, Lane] = {}
        self._from_beginning, self._until_caught_up = from_beginning, until_caught_up
        self._starting_point = StartingPoint(consumer, sink, from_beginning, tell_lost)
        self._finish_line: FinishLine | None = None
        self._paused = False
        self._next_commit = 0.0
        self.progress = GroupProgress(sink.name, sink.verb, from_beginning, time.monotonic())
        self.stop = stop

    def run(self) -> None:
        """Run until `stop` is set or the group has caught up. Raises StopLoudly or UserError."""
        if self._until_caught_up:
            self._finish_line = FinishLine(self._consumer, self._topic, self._sink, self._from_beginning)
        self._consumer.subscribe([self._topic], listener=self._listener)
        try:
            while not (self.stop.is_set() or self._caught_up()):
                self._turn(self._poll())
            self._drain()
        finally:
            for lane in self._lanes.values():
                lane.cancelled.set()
            self._workers.shutdown(wait=False, cancel_futures=True)
            self._consumer.close(autocommit=False, timeout_ms=5_000)
            self._sink.close()

    # one turn

    def _poll(self) -> dict[TopicPartition, list[Any]]:
        try:
            return self._consumer.poll(timeout_ms=POLL_MS)
        except AuthorizationError as error:
            raise UserError(f"Kafka refuses: {error}") from None
        except KafkaError as error:
            self._consumer.read.clear()  # it may have taken records before it failed: behind them is a jump
            log.warning("%s: Kafka: %s; trying on", self._sink.name, error)
            time.sleep(0.5)
            return {}

    def _turn(self, records: dict[TopicPartition, list[Any]]) -> None:
        now = time.monotonic()
        self._follow_rebalances()
        for tp, batch in records.items():
            lane = self._lanes.get(tp)
            if lane and lane.active and not lane.add(batch, now, self._consumer.read.get(tp)):
                self._forget(lane, f"offsets {lane.expected} and following are missing from what Kafka gave")
        for lane in list(self._lanes.values()):
            if lane.job and lane.job.done():
                self._finish(lane)
        self._start_claims(now)
        self._start_writes(now)
        self._hold_back()
        if now >= self._next_commit:
            self._commit()
            self.progress.report(now, self.lag())

    def _follow_rebalances(self) -> None:
        for what, partitions in self._listener.take():
            for tp in partitions:
                lane = self._lanes.get(tp)
                if what == "assigned":
                    self._assigned(tp, lane)
                elif lane and what == "revoked" and self._sink.fenced:
                    lane.assigned = False  # the claim is kept: if the partition comes back it may still hold
                    lane.stop()
                elif lane:
                    lane.cancelled.set()
                    del self._lanes[tp]
            log.info("%s: %s %s", self._sink.name, what, sorted(tp.partition for tp in partitions))

    def _assigned(self, tp: TopicPartition, lane: Lane | None) -> None:
        lane = self._lanes[tp] = lane or Lane(tp)
        lane.stop()  # paused by the listener: until it is activated, or activated again
        lane.assigned, lane.committed, lane.due_at = True, None, 0.0

    # claims

    def _start_claims(self, now: float) -> None:
        for lane in self._lanes.values():
            if lane.active or not lane.assigned or lane.job or lane.due_at > now:
                continue
            try:
                self._start_claim(lane)
            except BeyondEnd as error:
                self._beyond_end(lane, error)
            except KafkaError as error:  # rebalancing, or no longer ours: poll, then see
                pause = lane.back_off(now)
                log.info(
                    "%s: partition %d later (%.1f s): %s", self._sink.name, lane.tp.partition, pause, error
                )
                return

    def _start_claim(self, lane: Lane) -> None:
        if not self._sink.fenced:
            self._activate(lane)
        elif lane.claim:
            lane.job = self._workers.submit(self._resume, lane.claim)
        else:
            self._confirm_membership(lane.tp)
            lane.job = self._workers.submit(self._sink.claim, lane.tp.partition)

    def _resume(self, claim: Any) -> Any:
        return claim if self._sink.still_held(claim) else None

    def _confirm_membership(self, tp: TopicPartition) -> None:
        # The coordinator takes a commit from a living member of this generation only: without this, a process
        # that was frozen past its session would seal the epoch of the partition's new owner.
        known = self._consumer.committed(tp, metadata=True, timeout_ms=KAFKA_TIMEOUT_MS)
        again = OffsetAndMetadata(known.offset, known.metadata, -1) if known else OffsetAndMetadata(0, "", -1)
        self._consumer.commit({tp: again}, timeout_ms=KAFKA_TIMEOUT_MS)

    def _activate(self, lane: Lane) -> None:
        committed = committed_offset(self._consumer, lane.tp, self._sink.topic_id)
        start = self._starting_point.of(lane, committed)
        if not self._sink.fenced:
            lane.claim = committed
        self._consumer.seek(lane.tp, start)
        self._consumer.read.pop(lane.tp, None)  # what was read before is read again, and not yet finished
        lane.start_at(start)
        if not self._paused:  # else it goes on with the others
            self._consumer.resume(lane.tp)

    def _beyond_end(self, lane: Lane, error: BeyondEnd) -> None:
        self._forget(lane, str(error))
        lane.beyond_end += 1
        if lane.beyond_end >= BEYOND_END_TRIES:
            raise StopLoudly(f"{error}: this is not the topic that was read before") from None

    # writes

    def _start_writes(self, now: float) -> None:
        sink, lanes = self._sink, [lane for lane in self._lanes.values() if lane.records and lane.active]
        # one more waits ready: a worker has its next write before this loop comes round
        free = sink.workers + 1 - sum(1 for lane in self._lanes.values() if lane.job)
        full = sum(lane.waiting_bytes for lane in lanes) >= sink.flush_bytes
        for lane in sorted(lanes, key=lambda lane: -lane.waiting_bytes):
            old = now - lane.oldest_at >= sink.flush_seconds or self.stop.is_set()
            ripe = full or old or lane.waiting_bytes >= sink.max_write_bytes or self._in_sight(lane)
            if free > 0 and not lane.job and ripe:
                batch = lane.take(sink.max_write_bytes, now)
                lane.job = self._workers.submit(self._write, lane.claim, batch, lane.cancelled)
                free -= 1
                full = False

    def _write(self, claim: Any, batch: list[Any], cancelled: Event) -> tuple[int, Written]:
        return batch[-1].offset + 1, self._sink.write(claim, batch, cancelled)

    def _finish(self, lane: Lane) -> None:
        job: Future = lane.job  # type: ignore[assignment]
        lane.job = None
        try:
            result = job.result()
            if isinstance(result, tuple):
                self.progress.written += result[1]
                if lane.active:
                    lane.wrote(result[0])
            else:
                lane.claim = result
                if result and lane.assigned:
                    self._activate(lane)
        except (StopLoudly, UserError):
            raise
        except Cancelled:
            pass
        except BeyondEnd as error:
            self._beyond_end(lane, error)
        except Exception as error:
            self._forget(lane, f"{type(error).__name__}: {str(error)[:300]}")

    def _forget(self, lane: Lane, why: str) -> None:
        """The one recovery rule: give the claim up, poll Kafka, and claim again if the partition is still ours."""
        log.warning("%s: partition %d starts anew: %s", self._sink.name, lane.tp.partition, why)
        self.progress.restarts += 1
        lane.stop()
        lane.claim = None
        if lane.assigned:
            if lane.tp in self._consumer.assignment():
                self._consumer.pause(lane.tp)
            lane.back_off(time.monotonic())

    def _hold_back(self) -> None:
        """Bounds what is buffered.

        Reading goes on once there is room for a write: where it waited until less was buffered than a write asks for,
        the next ones were small, and Elasticsearch took a tenth more for each document.
        """
        held = sum(lane.waiting_bytes + lane.writing_bytes for lane in self._lanes.values())
        limit = self._sink.flush_bytes + self._sink.workers * self._sink.max_write_bytes
        active = [lane.tp for lane in self._lanes.values() if lane.active]
        if held > limit and not self._paused:
            self._consumer.pause(*active)
            self._paused = True
        elif held < limit - self._sink.max_write_bytes and self._paused:
            self._consumer.resume(*active)
            self._paused = False

    # offsets

    def _commit(self) -> bool:
        """Commit what is finished; True if nothing is left to commit."""
        self._next_commit = time.monotonic() + COMMIT_SECONDS
        for lane in self._lanes.values():
            lane.pass_hole(self._consumer.read.get(lane.tp))
        moved = {
            lane.tp: lane.done
            for lane in self._lanes.values()
            if lane.assigned and lane.active and lane.done not in (None, lane.committed)
        }
        if not moved:
            return True
        try:
            self._consumer.commit(
                # with the topic's id: in a topic made anew, offsets of the one before say nothing
                {tp: OffsetAndMetadata(done, self._sink.topic_id, -1) for tp, done in moved.items()},
                timeout_ms=KAFKA_TIMEOUT_MS,
            )
        except KafkaError as error:
            # Only what is finished is committed: a later commit, or the next owner, makes up for this one.
            log.debug("%s: commit: %s", self._sink.name, error)
            return False
        for tp, done in moved.items():
            self._lanes[tp].committed = done
        return True

    def _in_sight(self, lane: Lane) -> bool:
        return self._finish_line is not None and self._finish_line.in_sight(lane)

    def _caught_up(self) -> bool:
        return self._finish_line is not None and self._finish_line.reached(self._lanes)

    def _drain(self) -> None:
        """Write what is buffered and commit, for 10 s at most: what stays undone is read again next time."""
        self.stop.set()
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            if not any(lane.records or lane.job for lane in self._lanes.values()) and self._commit():
                return
            self._consumer.pause(*[lane.tp for lane in self._lanes.values() if lane.active])
            self._turn(self._poll())  # paused, they give nothing; if they did, it must not be passed over

    # for people

    def lag(self) -> int:
        """Records of our partitions that are in the topic and not yet finished."""
        lanes = [lane for lane in self._lanes.values() if lane.active and lane.done is not None]
        return sum(max(0, (self._consumer.highwater(lane.tp) or 0) - (lane.done or 0)) for lane in lanes)

    def owned(self) -> int:
        """How many partitions are assigned to this process."""
        return sum(lane.assigned for lane in list(self._lanes.values()))

    def owns(self, partition: int) -> bool:
        """True while the partition is assigned to this process."""
        lane = self._lanes.get(TopicPartition(self._topic, partition))
        return lane is not None and lane.assigned
