"""Nothing lost, nothing twice, while everything fails again and again: `make chaos`, `make chaos-hour`."""

import statistics
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
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

RECOVER_SECONDS = 120
WARM_UP_RECORDS = 500


@dataclass
class Done:
    """A fault that was injected; moments are seconds since the start, `recovered_in` None where it never did."""

    fault: Fault
    began: float
    ended: float
    recovered_in: float | None
    error: str = ""


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
        began = time.monotonic()
        self._say(f"{fault.lane:<9} {fault.name}")
        done = Done(fault, began - self._started, 0.0, None)
        try:
            for seconds in fault.inject(self._world, chance):
                time.sleep(seconds)
            healed = time.monotonic()
            if fault.recovered(self._world, healed + RECOVER_SECONDS):
                done.recovered_in = time.monotonic() - healed
        except Exception as error:
            done.error = f"{type(error).__name__}: {error}"[:300]
        done.ended = time.monotonic() - self._started
        self.done.append(done)
        took = f"{done.recovered_in:.1f} s" if done.recovered_in is not None else "NOT RECOVERED"
        self._say(f"{fault.lane:<9} {fault.name}: recovered in {took} {done.error}")

    def _say(self, what: str) -> None:
        look = self._world.watch.latest
        records = f"{sum(look.ends.values()):>9,} records" if look else ""
        print(f"{time.monotonic() - self._started:7.1f} s {records}  {what}", flush=True)


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
    report = pipeline.catch_up()
    lost = not_in_the_topic(pipeline, load)
    proxy.close()
    show(chaos.done, report, lost, load, pipeline)
    assert not lost, f"acknowledged by Kafka, said the producer, and not in the topic: {lost[:5]}"
    assert report.exit_code == 0, report
    assert report.refused_lines >= load.refused
    assert all(done.recovered_in is not None for done in chaos.done)
    assert len(chaos.done) >= option("--at-least")


def chosen(names: str) -> list[Fault]:
    """The faults of these names, all if none is given. Raises UserError."""
    known, wanted = (
        {fault.name: fault for fault in FAULTS},
        [name.strip() for name in names.split(",") if name],
    )
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(f"no such fault: {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted or known]


def not_in_the_topic(pipeline: Pipeline, load: Load) -> list[str]:
    """What was promised, and is not there."""
    promised, from_stream = set(load.promised), 0
    consumer = KafkaConsumer(**consumer_options(pipeline.settings, None))
    topic = pipeline.settings.topic
    partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        for records in consumer.poll(timeout_ms=500).values():
            promised.difference_update(record.key for record in records)
            from_stream += sum(header(record.headers, "source") == "simulator" for record in records)
    consumer.close()
    said = sum(acknowledged(pipeline.processes))
    return sorted(key.decode() for key in promised) + [f"{said - from_stream} of the stream"] * (
        from_stream < said
    )


def show(done: list[Done], report: Report, lost: list[str], load: Load, pipeline: Pipeline) -> None:
    """One line per kind of fault, then the audit."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("fault", "injected", "recovered in: median", "worst", "lost", "doubled"):
        table.add_column(title, justify="left" if title == "fault" else "right")
    for fault in FAULTS:
        mine = [each for each in done if each.fault is fault]
        took = [each.recovered_in for each in mine if each.recovered_in is not None]
        if mine:
            times = (f"{statistics.median(took):.1f} s", f"{max(took):.1f} s") if took else ("never", "never")
            table.add_row(fault.name, str(len(mine)), *times, "", "")
    console = Console(width=110, highlight=False)
    console.print(table)
    console.print(f"{len(done)} faults of {len({each.fault.name for each in done})} kinds")
    console.print(str(report), markup=False)
    console.print(f"promised by producers: {len(load.promised):,}, of these not in the topic: {len(lost)}")
    for name, crew in load.crews.items():
        for what, count in crew.endings.items():
            console.print(f"{name}: ended by itself, {count} x: {what}", markup=False)
    for process in crashed(pipeline.processes):
        console.print(f"a traceback in {process.log}", markup=False)  # type: ignore[attr-defined]


def crashed(processes: list[Process]) -> list[Process]:
    """Those that printed a traceback."""
    return [process for process in processes if "Traceback" in log_of(process)]
