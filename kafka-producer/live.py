"""The live sources: X's filtered stream, and the simulator in its place, by the same code path."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from queue import Empty

import tweepy

from file_replay import Line
from ingest import Ingest
from kafka_cluster.script import ROOT
from kafka_cluster.settings import Settings
from producer_events import ProducerEvents
from progress import Progress
from sources import finish, open_writer, stop_on_signals
from spill_file import SpillFile
from spilling_writer import SpillingWriter
from stream_rules import Rule, bring_in_line, read_rules
from x_session import X_URL, bearer_token, redirect, what_the_keys_allow
from x_simulator import Options, Simulator
from x_stream import StreamReader

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.2
FLUSH_SECONDS = 1.0  # the rest waits on disk: whoever asks us to end waits 2 s at most


def stream(settings: Settings) -> int:
    """Read X's stream: never without rules, never more than `max_posts`. Raises UserError."""
    rules = read_rules(settings.rules_file)
    log.info("%s", what_the_keys_allow(settings))
    for rule in rules:
        log.info("rule %s: %s", rule.tag, rule.value)
    log.info(
        "at most %s posts in this run (max_posts), which cost at most %.2f dollars at %g a post (post_price)",
        f"{settings.max_posts:,}", settings.max_posts * settings.post_price, settings.post_price,
    )  # fmt: skip
    return read_stream(settings, X_URL, rules, "stream", settings.max_posts, None)


def simulate(settings: Settings, rate: float, duration: float | None, seed: int) -> int:
    """Read the simulator's stream, for `duration` seconds or until somebody ends it. Raises UserError."""
    with Simulator(Options(rate=rate, seed=seed)) as x:
        log.info("a simulated X at %s: %g tweets a second, seed %d", x.url, rate, seed)
        pretended = replace(settings, api_key="simulated", api_secret="simulated")  # noqa: S106
        return read_stream(pretended, x.url, [Rule("everything", "everything")], "simulator", None, duration)


def stream_or_simulate(settings: Settings) -> int:
    """X where `.env` has keys for it, else the simulator."""
    if settings.api_key and settings.api_secret:
        print(
            "reading X's stream: .env has the keys for it (producer.py simulate reads a simulated one)",
            flush=True,
        )
        return stream(settings)
    print(f"reading a simulated stream: {what_the_keys_allow(settings)}", flush=True)
    return simulate(settings, 100.0, None, 1)


def read_stream(
    settings: Settings,
    url: str,
    rules: list[Rule],
    source: str,
    max_posts: int | None,
    duration: float | None,
) -> int:
    """Bring the rules in line, read, write; returns 0, or 1 where not everything was acknowledged or X refuses."""
    token = bearer_token(settings, url)
    client = tweepy.StreamingClient(token, return_type=dict)
    redirect(client.session, url)
    bring_in_line(client, rules)
    writer = SpillingWriter(open_writer(settings), open_spill_file(settings, source))
    reader = StreamReader(token, url)
    progress = Progress(lambda: _more(reader, writer))
    events = ProducerEvents(settings, writer, reader.gaps)
    ingest = Ingest(settings, writer, source, stop_on_signals(), progress, events.tell)
    reader.start()
    try:
        ingest.run(_lines(reader, duration), max_tweets=max_posts)
    finally:
        reader.stop()
        for line in _rest(reader, ingest.counts.read):
            ingest.send(line)
    code = finish(writer, progress, ingest.counts, events, FLUSH_SECONDS)
    _tell(reader)
    return 1 if reader.fatal else code


def open_spill_file(settings: Settings, source: str) -> SpillFile:
    """The file of this source and topic. Raises UserError where another producer uses it."""
    folder = ROOT / settings.spill_folder  # an absolute path stays what it is
    return SpillFile(folder / f"{source}-{settings.topic}.sqlite", settings.spill_bytes)


def _more(reader: StreamReader, writer: SpillingWriter) -> str:
    gaps = f", {len(reader.gaps)} gaps" if reader.gaps else ""
    return gaps + (f", {writer.waiting:,} wait on disk" if writer.waiting else "")


def _lines(reader: StreamReader, duration: float | None) -> Iterator[Line | None]:
    """Lines as they come; None where nothing came for a moment."""
    number, deadline = 0, None if duration is None else time.monotonic() + duration
    while reader.alive and (deadline is None or time.monotonic() < deadline):
        try:
            content = reader.lines.get(timeout=IDLE_SECONDS)
        except Empty:
            yield None
        else:
            number += 1
            yield Line(number, content, len(content))


def _rest(reader: StreamReader, number: int) -> Iterator[Line]:
    """What was read, and billed, before the end."""
    while not reader.lines.empty():
        number += 1
        content = reader.lines.get()
        yield Line(number, content, len(content))


def _tell(reader: StreamReader) -> None:
    for gap in reader.gaps:
        log.warning("gap from %s to %s: %s", gap.since, gap.until or "the end", gap.reason)
    log.info("%d connects, %d gaps", reader.connects, len(reader.gaps))
    if reader.fatal:
        log.error("%s", reader.fatal)
