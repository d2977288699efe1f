"""Faults of our own scripts, and of what the producer is given."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from chaos_load import Process
from chaos_world import Steps, World
from pipeline import wait_until
from sample import POISON, odd_tweets

SKEWED_CLOCK = Path(__file__).parent / "skewed_clock"
PAST_THE_SESSION = (7.5, 10.0)  # sessions end after 6 s here
LONG_COMPACTION = 45.0
TOO_LARGE = b'{"data":{"id":"1","text":"' + b"x" * 1_100_000 + b'"}}'


# the groups' processes


def consumer_killed(group: str) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        crew.kill(crew.pick(chance))
        yield 0.0

    return inject


def frozen(pick: Callable[[World, Random], Process], *seconds: float) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        process = pick(world, chance)
        process.send_signal(signal.SIGSTOP)
        yield chance.uniform(*seconds)
        process.send_signal(signal.SIGCONT)

    return inject


def process_more(group: str) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        crew.wanted += 1
        yield chance.uniform(6, 10)
        crew.wanted -= 1
        crew.leave(crew.pick(chance))

    return inject


def process_less(group: str) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        crew.wanted -= 1
        crew.leave(crew.pick(chance))
        yield chance.uniform(2, 5)
        crew.wanted += 1

    return inject


def clock_skewed(group: str) -> Callable[[World, Random], Steps]:
    """One process more, which believes in another day."""

    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        member = crew.join(**skewed(chance))
        yield chance.uniform(6, 10)
        crew.wanted -= 1
        crew.leave(member)

    return inject


def skewed(chance: Random) -> dict[str, str]:
    seconds = chance.choice([-172_800, -3_600, 3_600, 172_800])
    return {"PYTHONPATH": str(SKEWED_CLOCK), "skew_seconds": str(seconds)}


def compaction(world: World, chance: Random) -> Steps:
    """The archive is compacted; the run is killed twice, and the third time left alone for a while.

    One that must end well comes after all faults.
    """
    for seconds in chance.uniform(1, 4), chance.uniform(1, 4), LONG_COMPACTION:
        run = world.load.start("archive.py", "compact")
        until = time.monotonic() + seconds
        while run.poll() is None and time.monotonic() < until:
            yield 0.5
        run.kill()


# the producer, and what it is given


def stream_killed(world: World, chance: Random) -> Steps:
    stream = world.load.stream
    stream.kill(stream.pick(chance), world.load.note_spilled)
    yield 0.0


def replay_killed(world: World, chance: Random) -> Steps:
    wait_until(lambda: world.load.feeding is not None and world.load.feeding.poll() is None, 120)
    world.load.feeding.kill()  # type: ignore[union-attr]
    yield 0.0


def poison(world: World, chance: Random) -> Steps:
    good = world.load.next_lines(10)
    # a partition may take none until its brokers are restarted
    world.load.pipeline.send([*good[:5], *POISON.values(), *odd_tweets(), *good[5:]], seconds=150)
    yield 0.0


def too_large(world: World, chance: Random) -> Steps:
    good = world.load.next_lines(10)
    world.load.replay([*good[:5], TOO_LARGE, *good[5:]])
    yield 0.0


def producer_clock_skewed(world: World, chance: Random) -> Steps:
    world.load.replay(world.load.next_lines(100), **skewed(chance))
    yield 0.0


def delivered_again(world: World, chance: Random) -> Steps:
    lines = world.load.next_lines(100)
    world.load.replay([*lines, *chance.sample(lines, 50)])
    yield 0.0


def a_member(group: str) -> Callable[[World, Random], Process]:
    return lambda world, chance: world.load.groups[group].pick(chance)


def the_stream(world: World, chance: Random) -> Process:
    return world.load.stream.pick(chance)
