"""What a fault is, what it is done to, and what counts as recovered from it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from chaos_load import Load
from chaos_watch import Look, Watch
from namenode_proxy import NameNodeProxy
from small_disks import SmallDisk


@dataclass
class World:
    """What faults are done to."""

    cluster: Any
    load: Load
    watch: Watch
    proxy: NameNodeProxy
    disks: dict[str, SmallDisk]
    by_hand: int = 0
    """How often brokers were restarted as a person would, since a partition stayed out of sync."""


Steps = Iterator[float]
Recovered = Callable[[World, float], bool]
"""Waits, until a moment (monotonic) at most; True when it is so."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    name: str
    lane: str
    inject: Callable[[World, Random], Steps]
    recovered: Recovered
    needs: str = ""
    """A small disk by name, which only root can mount."""


# what counts as recovered


def after_a_look(passes: Callable[[Look, Look], bool]) -> Recovered:
    """A later look passes, beside the first one after the fault."""

    def wait(world: World, deadline: float) -> bool:
        first = world.watch.until(lambda _: True, deadline)
        return first is not None and world.watch.until(partial(passes, first), deadline) is not None

    return wait


def written_again(first: Look, now: Look) -> bool:
    """Every partition takes records, and all its replicas are in sync."""
    return now.in_sync and all(now.ends[tp] > end for tp, end in first.ends.items())


def delivered(*groups: str) -> Recovered:
    """The groups have committed everything that was in the topic when the fault was over."""
    return after_a_look(lambda first, now: all(now.has(group, first.ends) for group in groups))


def sent_again(source: str) -> Recovered:
    """A record of this source reaches the topic."""
    return lambda world, deadline: world.watch.first_record_from(source, deadline)
