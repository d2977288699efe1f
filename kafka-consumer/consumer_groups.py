"""Builds and runs one consumer group's process, or both groups as two processes."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from dead_letter_writer import DeadLetterWriter
from elasticsearch_index import connect_elasticsearch, ensure_index
from elasticsearch_sink import ElasticsearchSink
from forgotten_list import ForgottenList
from group_events import GroupEvents
from hdfs_sink import HdfsSink
from kafka_cluster.groups import committed_offsets
from kafka_cluster.kafka_options import connect, consumer_options
from kafka_cluster.metrics import wants_metrics
from kafka_cluster.pipeline_events import ensure_events_template
from kafka_cluster.reachable import require_hdfs
from kafka_cluster.settings import OPERATOR, WRITER, Settings
from kafka_cluster.topics import admin_client, ensure_topics
from lost_ranges import LostRanges
from poll_loop import PollLoop
from rebalance_notes import Assignor
from record_batches import unpack_faster
from sink import Sink, StopLoudly
from topic_guard import TopicGuard, TopicWatch, open_topic_guard

if TYPE_CHECKING:
    from group_metrics import GroupMetrics

log = logging.getLogger(__name__)

GROUPS = ("elasticsearch", "hdfs")
FETCH_BYTES, FETCH_MS = 100_000, 100
"""Brokers answer once they have so much for us, or after so long. At 1,000 tweets a second an answer for each few
tweets took the groups twice the CPU time, and the tweets were there no sooner."""
IDLE_WORKER_SECONDS = 0.3  # within which a thread ends that has nothing to do
LIST_READ_SECONDS = 3.0  # tweets must not wait long for a NameNode that is frozen


def run_group(name: str, settings: Settings, from_beginning: bool, until_caught_up: bool) -> int:
    """Run one group's process until it is told to stop, or has caught up. Returns the exit code."""
    stop = _stop_on_signals()
    for warning in ensure_topics(settings):
        log.warning("%s", warning)
    group = settings.elasticsearch_group if name == "elasticsearch" else settings.hdfs_group
    with open_topic_guard(settings) as guard:
        letters = DeadLetterWriter(settings, group, guard.topic_id)
        sink = _build_sink(name, settings, letters, guard, from_beginning)
        assignor = Assignor()
        consumer = connect(
            KafkaConsumer, settings, **consumer_options(settings, group), partition_assignment_strategy=[assignor],
            fetch_min_bytes=FETCH_BYTES, fetch_max_wait_ms=FETCH_MS,
        )  # fmt: skip
        lost = LostRanges(settings, name, sink.verb, letters)
        metrics = _metrics(settings, name)
        loop = PollLoop(
            unpack_faster(consumer), assignor, settings.topic, metrics.measure(sink) if metrics else sink, stop,
            lost.tell, from_beginning, until_caught_up,
        )  # fmt: skip
        if metrics:
            metrics.serve(loop, lost)
        watch = TopicWatch(guard, stop)
        watch.start()
        log.info("%s: group %s reads %s", name, group, settings.topic)
        code = _run_to_the_end(name, settings, loop, lost, watch)
    _end_without_stuck_writes(name, code)
    return code


def _metrics(settings: Settings, name: str) -> "GroupMetrics | None":
    if not wants_metrics(settings):
        return None
    from group_metrics import GroupMetrics  # imports the library

    return GroupMetrics(settings, name)


def _run_to_the_end(
    name: str, settings: Settings, loop: PollLoop, lost: LostRanges, watch: TopicWatch
) -> int:
    events = None
    if name == "elasticsearch":
        events = GroupEvents(settings, lambda: loop.progress.written, lambda: loop.owns(0))
    try:
        loop.run()
        if watch.failure:
            raise watch.failure
    except StopLoudly as error:
        log.error("%s stops: %s", name, error)
        return 1
    finally:
        if events:
            events.close()
        lost.close()
        log.info("%s: ended: %s", name, loop.progress.summary())
    return 0


def _end_without_stuck_writes(name: str, code: int) -> None:
    """Else the interpreter waits for a write that a server holds up for longer than we wait at the end. The process may
    die at any point: what is not committed is read again."""
    workers = [thread for thread in threading.enumerate() if thread.name.startswith(f"{name}_")]
    for worker in workers:
        worker.join(IDLE_WORKER_SECONDS)
    if any(worker.is_alive() for worker in workers):
        logging.shutdown()
        os._exit(code)


def set_up_elasticsearch(settings: Settings) -> None:
    """Make templates, first index and alias, as a user who may."""
    with contextlib.closing(connect_elasticsearch(settings, OPERATOR, 1)) as client:
        ensure_index(client, settings)
        ensure_events_template(client, settings.events_index)
    log.info("elasticsearch: templates, index and alias %s are there", settings.elasticsearch_alias)


def run_both(arguments: list[str]) -> int:
    """Run each group in a process of its own; one that ends does not end the other. Returns the highest exit code."""
    script = str(Path(__file__).with_name("consumer.py"))
    processes: dict[str, subprocess.Popen] = {}
    asked = []

    def stop(*_: object) -> None:
        asked.append(True)
        for process in processes.values():
            if process.poll() is None:
                process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for name in GROUPS:
        # In sessions of their own, so that Ctrl-C reaches us alone and each is told to stop just once.
        processes[name] = subprocess.Popen(
            [sys.executable, script, "--group", name, *arguments],
            env=os.environ | {"consumer_parent": str(os.getpid())}, start_new_session=True,
        )  # fmt: skip
    if asked:  # while they were started
        stop()
    running = dict(processes)
    while running:
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                if process.returncode and running and not asked:
                    log.warning("%s ended with exit code %d; %s goes on", name, process.returncode, *running)
        time.sleep(0.1)
    # one that was still importing when it was told to stop ended by the signal, with nothing begun
    codes = {process.returncode for process in processes.values()} - {-signal.SIGTERM if asked else 0}
    return max(map(abs, codes), default=0)


def _build_sink(
    name: str, settings: Settings, letters: DeadLetterWriter, guard: TopicGuard, from_beginning: bool
) -> Sink:
    if name == "elasticsearch":
        with contextlib.closing(connect_elasticsearch(settings, settings.set_up_user, 1)) as client:
            ensure_index(client, settings)
        client = connect_elasticsearch(settings, WRITER, ElasticsearchSink.workers)
        # one group's servers must not stop the other: only what is read again may have been forgotten long ago
        reads_on = not from_beginning and _has_committed(settings, guard.topic_id)
        forgotten = ForgottenList(settings, LIST_READ_SECONDS, required=not reads_on)
        return ElasticsearchSink(settings, client, letters, guard, forgotten)
    require_hdfs(settings)
    return HdfsSink(settings, guard)


def _has_committed(settings: Settings, topic_id: str) -> bool:
    try:
        with admin_client(settings) as admin:
            return bool(committed_offsets(admin, settings.elasticsearch_group, topic_id))
    except KafkaError:  # a broker has just died, and we don't know
        return False


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def ask(*_: object) -> None:
        if stop.is_set():
            os._exit(130)  # asked twice: what is not committed is read again
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    parent = os.environ.get("consumer_parent")
    if parent:
        threading.Thread(target=_follow, args=(int(parent), stop), daemon=True).start()
    return stop


def _follow(parent: int, stop: threading.Event) -> None:
    """End with the process that started us, even if that was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    stop.set()
