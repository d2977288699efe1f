"""Nothing lost, nothing twice, while everything fails again and again: `make chaos`, `make chaos-hour`."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from chaos_faults import FAULTS
from chaos_load import Load, acknowledged, crashed
from chaos_peaks import MEMORY_BOUND, Peaks
from chaos_view import ChaosView, Done, Findings, show
from chaos_watch import Watch
from chaos_world import Fault, World
from kafka_cluster.kafka_options import consumer_options
from kafka_cluster.message import header
from kafka_cluster.script import UserError
from kafka_cluster.topics import ensure_topics
from namenode_proxy import NameNodeProxy
from pipeline import Pipeline, wait_until
from pipeline_audit import Report
from small_disks import SmallDisk, small_disks

RECOVER_SECONDS = 180
WARM_UP_RECORDS = 500
COMPACT_SECONDS = 900


class Chaos:
    """Injects faults, one after another in each lane, the lanes beside each other."""

    def __init__(self, world: World, faults: Iterable[Fault], seed: int, minutes: float) -> None:
        self._world, self._seed = world, seed
        self._lanes: dict[str, list[Fault]] = {}
        for fault in faults:
            self._lanes.setdefault(fault.lane, []).append(fault)
        self._until = time.monotonic() + minutes * 60
        self._view = ChaosView(world.watch, self._lanes, minutes)
        self.done: list[Done] = []

    def run(self) -> None:
        """Return when the time is over, and the last faults have healed."""
        lanes = [threading.Thread(target=self._lane, args=(name,), daemon=True) for name in self._lanes]
        with self._view:
            for lane in lanes:
                lane.start()
            for lane in lanes:
                lane.join()

    def _lane(self, name: str) -> None:
        chance, deck = Random(f"{self._seed} {name}"), list[Fault]()
        while time.monotonic() < self._until:
            if not deck:  # every kind comes once before one comes again
                deck = chance.sample(self._lanes[name], len(self._lanes[name]))
            self._inject(deck.pop(), Random(f"{self._seed} {name} {chance.random()}"))
            time.sleep(chance.uniform(0, 2))

    def _inject(self, fault: Fault, chance: Random) -> None:
        self._view.begins(fault)
        done = Done(fault, time.time())
        try:
            for seconds in fault.inject(self._world, chance):
                time.sleep(seconds)
            healed = time.monotonic()
            if fault.recovered(self._world, healed + RECOVER_SECONDS):
                done.recovered_in = time.monotonic() - healed
        except Exception as error:
            done.error = f"{type(error).__name__}: {error}"[:300]
        done.ended = time.time()
        self.done.append(done)
        self._view.ends(done)


@pytest.mark.timeout(0)
def test_nothing_is_lost_and_nothing_is_twice(
    cluster: Any, full_disks: dict[str, SmallDisk], pipeline: Pipeline, request: pytest.FixtureRequest
) -> None:
    option = request.config.getoption
    with small_disks({"spill": pipeline.folder / "spill"}) as spill:
        run(cluster, full_disks | spill, pipeline, option)


def run(cluster: Any, disks: dict[str, SmallDisk], pipeline: Pipeline, option: Callable[[str], Any]) -> None:
    """The load, the faults, the end of both, the audit."""
    faults = chosen(option("--faults"), set(disks))
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    pipeline.env |= {"webhdfs_url": proxy.url}
    ensure_topics(pipeline.settings)
    watch = Watch(pipeline.settings)
    load = Load(pipeline, option("--rate"), option("--seed"))
    load.begin()
    peaks = Peaks(load)
    wait_until(lambda: bool(watch.latest) and sum(watch.latest.ends.values()) >= WARM_UP_RECORDS, 90)  # type: ignore[union-attr]
    world = World(cluster, load, watch, proxy, disks)
    chaos = Chaos(world, faults, option("--seed"), option("--minutes"))
    chaos.run()
    watch.close()
    peaks.close()
    load.end()
    caught_up = pipeline.run("consumer.py", "--until-caught-up", timeout=300)
    assert caught_up.returncode == 0, caught_up.stderr[-2000:]
    if "compaction" in {fault.name for fault in faults}:  # whatever was left behind, a run ends well
        compacted = pipeline.run("archive.py", "compact", timeout=COMPACT_SECONDS)
        assert compacted.returncode == 0, compacted.stderr[-2000:]
    report = pipeline.audit()
    found = look_up(pipeline, load, report)
    proxy.close()
    show(chaos.done, report, found, world, peaks)
    assert not found.broken_promises, "said to be acknowledged by Kafka, and not in the topic"
    assert report.exit_code == 0, report
    assert report.refused_lines >= load.refused
    assert all(done.recovered_in is not None for done in chaos.done)
    assert not crashed(pipeline.processes)
    assert max(peaks.memory.values()) < MEMORY_BOUND, peaks
    assert len(chaos.done) >= option("--at-least"), "too few faults for this machine and time"


def chosen(names: str, there: set[str]) -> list[Fault]:
    """The faults of these names, all if none is given, that this machine can have. Raises UserError."""
    known = {fault.name: fault for fault in FAULTS if not fault.needs or fault.needs in there}
    wanted = [name.strip() for name in names.split(",") if name]
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(f"no such fault: {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted or known]


def look_up(pipeline: Pipeline, load: Load, report: Report) -> Findings:
    """Read the topic once more: is everything there that producers promised, and when came what the audit misses?"""
    found, promised, from_stream = Findings(), set(load.promised), 0
    lost = {*report.missing_in_hdfs, *report.missing_in_elasticsearch}
    doubled = {*report.doubled_in_hdfs, *report.doubled_in_elasticsearch}
    for record in records_of(pipeline):
        promised.discard(record.key)
        from_stream += header(record.headers, "source") == "simulator"
        names = {f"{record.partition}:{record.offset}", (record.key or b"").decode()}
        found.lost += [record.timestamp / 1000] * bool(names & lost)
        found.doubled += [record.timestamp / 1000] * bool(names & doubled)
    found.broken_promises = sorted(key.decode() for key in promised)
    said = sum(acknowledged(pipeline.processes))
    if from_stream < said:
        found.broken_promises.append(f"{said - from_stream} of {said} that the stream's producer counted")
    return found


def records_of(pipeline: Pipeline) -> Iterator[Any]:
    """All records of the topic, without holding them."""
    consumer, topic = KafkaConsumer(**consumer_options(pipeline.settings, None)), pipeline.settings.topic
    partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        for records in consumer.poll(timeout_ms=500).values():
            yield from records
    consumer.close()
