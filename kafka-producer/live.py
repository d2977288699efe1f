"""The live sources: X's filtered stream, and the simulator in its place, by the same code path."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from queue import Empty, SimpleQueue

from file_replay import Line
from gap_filler import GapFiller
from ingest import Ingest, Stopper
from kafka_cluster.pipeline_events import CLOSE_SECONDS
from kafka_cluster.script import ROOT
from kafka_cluster.settings import Settings
from kafka_cluster.x_keys import can_read_x, what_the_keys_allow
from producer_events import ProducerEvents
from progress import Progress
from read_cost import ReadCost, at_most
from sources import ASKED_EVENTS_SECONDS, ASKED_SECONDS, finish, open_writer, serve_metrics, stop_on_signals
from spill_file import SpillFile
from spilling_writer import SpillingWriter
from state_file import open_state
from stream_rules import Rule, bring_in_line, read_rules, rules_client
from x_session import X_URL, bearer_token
from x_simulator import Options, Simulator
from x_stream import StreamReader

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
"""Not longer: nobody interrupts it, so that no line is lost between the queue and whoever asked for it."""
FLUSH_SECONDS = 10.0
ASKED_WHILE_AWAY_SECONDS = 0.1
"""The rest waits on disk."""
SIMULATOR = "simulator"
UNBOUNDED = 1 << 62


def stream(settings: Settings, fill_gaps: bool = False) -> int:
    """Read X's stream: never without rules, never more than `max_posts`. Raises UserError."""
    rules = read_rules(settings.rules_file)
    log.info("%s", what_the_keys_allow(settings))
    for rule in rules:
        log.info("rule %s: %s", rule.tag, rule.value)
    log.info("%s", at_most(settings))
    return read_stream(settings, X_URL, rules, "stream", settings.max_posts, None, fill_gaps)


def simulate(settings: Settings, rate: float, duration: float | None, seed: int) -> int:
    """Read the simulator's stream, for `duration` seconds or until somebody ends it. Raises UserError."""
    with Simulator(Options(rate=rate, seed=seed)) as x:
        log.info("a simulated X at %s: %g tweets a second, seed %d", x.url, rate, seed)
        pretended = replace(settings, api_key="simulated", api_secret="simulated")  # noqa: S106
        return read_stream(pretended, x.url, [Rule("everything", "everything")], SIMULATOR, None, duration)


def stream_or_simulate(settings: Settings) -> int:
    """X where `.env` has keys for it, else the simulator."""
    if can_read_x(settings):
        print(
            "reading X's stream: .env has the keys for it (producer.py simulate reads a simulated one)",
            flush=True,
        )
        return stream(settings)
    print(f"reading a simulated stream: {what_the_keys_allow(settings)}", flush=True)
    return simulate(settings, 100.0, None, 1)


def read_stream(
    settings: Settings, url: str, rules: list[Rule], source: str, max_posts: int | None, duration: float | None,
    fill_gaps: bool = False,
) -> int:  # fmt: skip
    """Bring the rules in line, read, write; returns 0, or 1 where not everything was acknowledged or X refuses."""
    # only one process at a time has this file: X allows one connection, and counts connects over restarts
    state = None if source == SIMULATOR else open_state(settings, source)
    token = bearer_token(settings, url)
    bring_in_line(rules_client(token, url), rules)
    writer = SpillingWriter(open_writer(settings), open_spill_file(settings, source))
    reader, cost = StreamReader(token, url, fill=fill_gaps, state=state), ReadCost(settings)
    progress = Progress(lambda: _more(reader, writer, cost if state else None))
    events = ProducerEvents(settings, writer, reader.gaps)
    stopper = stop_on_signals()
    ingest = Ingest(settings, writer, source, stopper, progress, events.tell, cost.count)
    serve_metrics(settings, ingest.counts, writer, reader)

    bound = UNBOUNDED if max_posts is None else max_posts

    def room() -> int:
        return bound - ingest.counts.tweets - filler.due

    def left() -> int:  # with what a search has asked for: it may find less
        return bound - ingest.counts.tweets - filler.lines.qsize()

    filler = GapFiller(token, rules, reader.gaps if fill_gaps else (), room, url)
    reader.start()
    filler.start()
    numbers = count(1)
    with writer.kept_if_it_fails():
        try:
            ingest.run(_lines(reader, filler, duration, numbers, room, left), room=left, at_hand=True)
        finally:
            reader.stop()
            filler.stop(patient=not stopper.asked)
            for line in _rest(reader, filler, numbers):
                ingest.send(line)
    events_seconds = ASKED_EVENTS_SECONDS if stopper.asked else CLOSE_SECONDS
    code = finish(writer, progress, ingest.counts, events, _patience(stopper, writer), events_seconds)
    _tell(reader)
    if left() <= 0:
        log.info("max_posts (%s) is reached", f"{bound:,}")
    if state:
        log.info("this run read %s", cost)
        state.close()
    return 1 if reader.fatal else code


def _patience(stopper: Stopper, writer: SpillingWriter) -> float:
    """Seconds to wait for Kafka at the end."""
    if not stopper.asked:
        return FLUSH_SECONDS
    return ASKED_WHILE_AWAY_SECONDS if writer.waiting else ASKED_SECONDS


def open_spill_file(settings: Settings, source: str) -> SpillFile:
    """The file of this source and topic. Raises UserError where another producer uses it."""
    folder = ROOT / settings.spill_folder  # an absolute path stays what it is
    return SpillFile(folder / f"{source}-{settings.topic}.sqlite", settings.spill_bytes)


def _more(reader: StreamReader, writer: SpillingWriter, cost: ReadCost | None) -> str:
    parts = [f"{len(reader.gaps)} gaps"] if reader.gaps else []
    parts += [f"{writer.waiting:,} wait on disk"] if writer.waiting else []
    parts += [str(cost)] if cost else []
    return "".join(f", {part}" for part in parts)


def _lines(
    reader: StreamReader, filler: GapFiller, duration: float | None, numbers: Iterator[int],
    room: Callable[[], int], left: Callable[[], int],
) -> Iterator[Line | None]:  # fmt: skip
    """Lines as they come; None where nothing came for a moment, or a search may still find all that is left."""
    deadline = None if duration is None else time.monotonic() + duration
    while reader.alive and (deadline is None or time.monotonic() < deadline):
        yield from _waiting(filler.lines, "search", numbers)
        if room() <= 0:
            if reader.lines.qsize() >= left():  # X has sent, and bills, as much by now
                return
            time.sleep(IDLE_SECONDS)
            yield None
            continue
        try:
            content = reader.lines.get(timeout=IDLE_SECONDS)
        except Empty:
            yield None
        else:
            yield Line(next(numbers), content, len(content))


def _rest(reader: StreamReader, filler: GapFiller, numbers: Iterator[int]) -> Iterator[Line]:
    """What was read, and billed, before the end."""
    yield from _waiting(reader.lines, None, numbers)
    yield from _waiting(filler.lines, "search", numbers)


def _waiting(lines: "SimpleQueue[bytes]", source: str | None, numbers: Iterator[int]) -> Iterator[Line]:
    while not lines.empty():
        content = lines.get()
        yield Line(next(numbers), content, len(content), source)


def _tell(reader: StreamReader) -> None:
    for gap in reader.gaps:
        log.warning("%s", gap)
    log.info("%d connects, %d gaps", reader.connects, len(reader.gaps))
    if reader.fatal:
        log.error("%s", reader.fatal)
