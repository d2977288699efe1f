"""`cluster.py status --watch`: what it shows while brokers die, and how it ends."""

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kafka_cluster.script import ROOT
from pipeline import BROKERS, Pipeline, brokers_away, wait_until
from sample import tweet_lines

pytestmark = pytest.mark.long

SCRIPT = str(ROOT / "kafka-cluster" / "cluster.py")


class Watching:
    """A watch that runs; `shown` is what it has shown so far."""

    def __init__(self, cluster: Any, pipeline: Pipeline, terminal: bool) -> None:
        command = [sys.executable, SCRIPT, "status", "--watch", "--port-offset", str(cluster.offset)]
        ours, theirs = pty.openpty() if terminal else os.pipe()
        if terminal:
            termios.tcsetwinsize(theirs, (50, 120))
        self._process = subprocess.Popen(
            command, env=os.environ | pipeline.env | {"TERM": "xterm"},
            stdin=theirs if terminal else subprocess.DEVNULL, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.shown, self._ours = "", ours
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> "Watching":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                more = os.read(self._ours, 65536)
            except OSError:  # a terminal whose other side is closed
                return
            if not more:
                return
            self.shown += more.decode("utf-8", "replace")

    def shows(self, what: Callable[[str], bool]) -> None:
        """Wait until it shows from now on what passes."""
        start = len(self.shown)
        try:
            wait_until(lambda: what(self.shown[start:]))
        except AssertionError:
            raise AssertionError(self.shown) from None

    def ctrl_c(self) -> int:
        """As a terminal does; returns the exit code."""
        started = time.monotonic()
        os.killpg(self._process.pid, signal.SIGINT)
        code = self._process.wait(20)
        self._reader.join()
        assert time.monotonic() - started < 10
        return code


def test_it_shows_lines_without_a_terminal_and_goes_on_while_one_or_all_brokers_are_away(
    cluster: Any, pipeline: Pipeline
) -> None:
    pipeline.send(tweet_lines(300))
    with Watching(cluster, pipeline, terminal=False) as watching:
        watching.shows(lambda text: "in sync 3 3 3 3 3 3" in text and "lag A 300 B 300" in text)
        cluster.kill("kafka3")
        try:
            watching.shows(
                lambda text: "kafka3 down" in text and "leaders" in text.partition("kafka3 down")[2]
            )
            watching.shows(lambda text: "in sync 2 2 2 2 2 2" in text)
        finally:
            cluster.start("kafka3")
        with brokers_away(cluster):
            watching.shows(lambda text: "Kafka: " in text)
        watching.shows(lambda text: "in sync 3 3 3 3 3 3" in text)
        assert watching.ctrl_c() == 130
    assert "Traceback" not in watching.shown and "\x1b" not in watching.shown


def test_on_a_terminal_it_draws_the_same_place_anew_and_leaves_a_terminal_that_works(
    cluster: Any, pipeline: Pipeline
) -> None:
    pipeline.send(tweet_lines(300))
    with Watching(cluster, pipeline, terminal=True) as watching:
        for text in ("datanode3", "in sync", "1 2 3", "300 records", pipeline.settings.hdfs_group, *BROKERS):
            watching.shows(lambda shown, text=text: text in shown)  # type: ignore[misc]
        pipeline.send(tweet_lines(200))
        watching.shows(lambda text: "500 records" in text)
        assert watching.ctrl_c() == 130
    assert "Traceback" not in watching.shown
    assert watching.shown.rstrip().endswith("\x1b[?25h"), "the cursor is shown again"
