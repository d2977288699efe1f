"""`drill`: the leader of a partition dies under load and comes back; a line a second shows what changes.

The load is the other rooms' scripts, started as anybody would start them: a simulated stream and both groups.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

from kafka.errors import KafkaError

from clusters import Cluster
from kafka_cluster.script import ROOT, UserError, uninterrupted
from kafka_cluster.settings import Settings, load_settings
from topic_look import Look, Observer

LOG = ROOT / "build" / "drill.log"
PRODUCER, CONSUMER = "kafka-producer/producer.py", "kafka-consumer/consumer.py"
RATE = "300"
CALM_SECONDS, DEAD_SECONDS, LONGEST_SECONDS = 6, 10, 90


class Teller:
    """Tells once a second how the topic and its groups are."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._observer, self._say = Observer(settings), say
        self._started = time.monotonic()

    def tell(self, phase: str, until: Callable[[Look], bool], seconds: float = LONGEST_SECONDS) -> Look:
        """Tell until a look passes. Raises UserError where none does in time."""
        deadline = time.monotonic() + seconds
        while True:
            time.sleep(1)
            look = self._look()
            line = look or "no broker answers"
            self._say(f"{time.monotonic() - self._started:4.0f} s  {phase:<18}{line}")
            if look and until(look):
                return look
            if time.monotonic() > deadline:
                raise UserError(f"{phase}: not over after {seconds:.0f} s; see {LOG}")

    def tell_for(self, phase: str, seconds: float) -> None:
        """Tell for so long."""
        end = time.monotonic() + seconds
        self.tell(phase, lambda _: time.monotonic() >= end)

    def _look(self) -> Look | None:
        try:
            return self._observer.look()
        except (KafkaError, UserError):
            return None


def drill(cluster: Cluster, say: Callable[[str], None]) -> int:
    """Kill the leader of partition 0 under load, bring it back, audit; returns the audit's exit code."""
    env = os.environ | cluster.environment() | {"hdfs_flush_seconds": "2"}
    teller = Teller(load_settings(environ=env), say)
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log, running(CONSUMER, log=log, env=env):
        with running(PRODUCER, "simulate", "--rate", RATE, log=log, env=env):
            look = teller.tell("starting", lambda look: look.whole and look.rate > 0)
            teller.tell_for("all is well", CALM_SECONDS)
            victim = f"kafka{look.leaders[0]}"
            say(f"        {victim}, the leader of partition 0, is killed")
            with brought_back(cluster, victim) as bring_back:
                cluster.kill(victim)
                teller.tell_for(f"{victim} is dead", DEAD_SECONDS)
                say(f"        {victim} is started again, and has to catch up")
                started = bring_back()
                teller.tell(f"{victim} comes back", lambda look: started.done() and look.whole)
            teller.tell_for("all is well", CALM_SECONDS)
        say("        the stream has ended; the groups read what is left")
        teller.tell("no more tweets", lambda look: look.lags == (0, 0))
    return subprocess.run(script("kafka-consumer/audit.py"), env=env, check=False).returncode


@contextmanager
def running(name: str, *arguments: str, log: BinaryIO, env: Mapping[str, str]) -> Iterator[None]:
    """A script that runs meanwhile; then it is asked to end, and ends by itself."""
    process = None
    try:
        with uninterrupted():
            process = subprocess.Popen(
                script(name, *arguments), stdout=log, stderr=log, env=env, cwd=ROOT, start_new_session=True
            )
        yield
        if process.poll() is not None:
            raise UserError(f"{name} ended too early, with exit code {process.returncode}; see {LOG}")
    finally:
        if process:
            process.terminate()
            process.wait()


@contextmanager
def brought_back(cluster: Cluster, name: str) -> Iterator[Callable[[], Future]]:
    """A function that starts the server in the background; at the end it is started in any case."""
    with ThreadPoolExecutor(1) as starter:
        started: list[Future] = []

        def start() -> Future:
            started.append(starter.submit(cluster.start, name))
            return started[0]

        try:
            yield start
        finally:
            (started[0] if started else start()).result()


def script(name: str, *arguments: str) -> list[str]:
    """The command of a script of another room."""
    return [sys.executable, str(ROOT / name), *arguments]
