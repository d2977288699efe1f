"""Nothing lost, nothing twice, while everything fails again and again: `make chaos`, `make chaos-hour`."""

import statistics
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from chaos_faults import FAULTS, Fault, World
from chaos_load import Load, Process, acknowledged, log_of
from chaos_watch import Watch
from kafka_cluster.kafka_options import consumer_options
from kafka_cluster.message import header
from kafka_cluster.script import UserError
from kafka_cluster.topics import ensure_topics
from namenode_proxy import NameNodeProxy
from pipeline import Pipeline, wait_until
from pipeline_audit import Report

RECOVER_SECONDS = 180
WARM_UP_RECORDS = 500


@dataclass
class Done:
    """A fault that was injected; `began` and `ended` by the wall clock, `recovered_in` None where it never did."""

    fault: Fault
    began: float
    ended: float = 0.0
    recovered_in: float | None = None
    error: str = ""

    def saw(self, moments: list[float]) -> int:
        """How many of these moments lie between its begin and its end."""
        return sum(self.began <= moment <= self.ended for moment in moments)


@dataclass
class Findings:
    """What the topic says about the audit's result: when the lost and the doubled came, what was promised in vain."""

    lost: list[float] = field(default_factory=list)
    doubled: list[float] = field(default_factory=list)
    broken_promises: list[str] = field(default_factory=list)


class Chaos:
    """Injects faults, one after another in each lane, the lanes beside each other."""

    def __init__(self, world: World, faults: Iterable[Fault], seed: int, minutes: float) -> None:
        self._world, self._seed = world, seed
        self._lanes: dict[str, list[Fault]] = {}
        for fault in faults:
            self._lanes.setdefault(fault.lane, []).append(fault)
        self._started = time.monotonic()
        self._until = self._started + minutes * 60
        self.done: list[Done] = []

    def run(self) -> None:
        """Return when the time is over, and the last faults have healed."""
        lanes = [threading.Thread(target=self._lane, args=(name,), daemon=True) for name in self._lanes]
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
        self._say(f"{fault.lane:<13} {fault.name}")
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
        took = f"{done.recovered_in:.1f} s" if done.recovered_in is not None else "NOT RECOVERED"
        self._say(f"{fault.lane:<13} {fault.name}: recovered in {took} {done.error}")

    def _say(self, what: str) -> None:
        look = self._world.watch.latest
        records = f"{sum(look.ends.values()):>9,} records" if look else ""
        sys.stdout.write(f"{time.monotonic() - self._started:7.1f} s {records}  {what.rstrip()}\n")
        sys.stdout.flush()


@pytest.mark.timeout(0)
def test_nothing_is_lost_and_nothing_is_twice(
    cluster: Any, pipeline: Pipeline, request: pytest.FixtureRequest
) -> None:
    option = request.config.getoption
    faults = chosen(option("--faults"))
    proxy = NameNodeProxy(pipeline.settings.webhdfs_url)
    pipeline.env |= {"webhdfs_url": proxy.url}
    ensure_topics(pipeline.settings)
    watch = Watch(pipeline.settings)
    load = Load(pipeline, option("--rate"), option("--seed"))
    load.begin()
    wait_until(lambda: bool(watch.latest) and sum(watch.latest.ends.values()) >= WARM_UP_RECORDS, 90)  # type: ignore[union-attr]
    chaos = Chaos(World(cluster, load, watch, proxy), faults, option("--seed"), option("--minutes"))
    chaos.run()
    watch.close()
    load.end()
    caught_up = pipeline.run("consumer.py", "--until-caught-up", timeout=300)
    assert caught_up.returncode == 0, caught_up.stderr[-2000:]
    report = pipeline.audit()
    found = look_up(pipeline, load, report)
    proxy.close()
    show(chaos.done, report, found, load)
    assert not found.broken_promises, "said to be acknowledged by Kafka, and not in the topic"
    assert report.exit_code == 0, report
    assert report.refused_lines >= load.refused
    assert all(done.recovered_in is not None for done in chaos.done)
    assert not crashed(pipeline.processes)
    assert len(chaos.done) >= option("--at-least"), "too few faults for this machine and time"


def chosen(names: str) -> list[Fault]:
    """The faults of these names, all if none is given. Raises UserError."""
    known, wanted = (
        {fault.name: fault for fault in FAULTS},
        [name.strip() for name in names.split(",") if name],
    )
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


def show(done: list[Done], report: Report, found: Findings, load: Load) -> None:
    """One line per kind of fault, then the audit."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("fault", "injected", "recovered in: median", "worst", "lost", "doubled"):
        table.add_column(title, justify="left" if title == "fault" else "right")
    for fault in FAULTS:
        mine = [each for each in done if each.fault is fault]
        took = [each.recovered_in for each in mine if each.recovered_in is not None]
        if mine:
            times = (f"{statistics.median(took):.1f} s", f"{max(took):.1f} s") if took else ("never", "never")
            bad = [str(sum(each.saw(moments) for each in mine)) for moments in (found.lost, found.doubled)]
            table.add_row(fault.name, str(len(mine)), *times, *bad)
    console = Console(width=110, highlight=False)
    console.print(table)
    console.print(f"{len(done)} faults of {len({each.fault.name for each in done})} kinds")
    console.print(str(report), markup=False)
    console.print(
        f"producers said of {len(load.promised):,} tweets by id that Kafka has them; "
        f"not in the topic: {', '.join(found.broken_promises[:5]) or 'none'}"
    )
    for name, crew in load.crews.items():
        for what, count in crew.endings.items():
            console.print(f"{name}: ended by itself, {count} x: {what}", markup=False)
    for process in crashed(load.pipeline.processes):
        console.print(f"a traceback in {process.log}", markup=False)  # type: ignore[attr-defined]


def crashed(processes: list[Process]) -> list[Process]:
    """Those that printed a traceback."""
    return [process for process in processes if "Traceback" in log_of(process)]
