"""`doctor`: finds what people trip over, and says the cure; nothing is changed, and X is not asked."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clusters import Cluster
from elasticsearch_checks import ELASTICSEARCH
from findings import SECONDS, Check, Finding, Level, Patient, examine, fault
from hdfs_checks import HDFS
from kafka_checks import KafkaChecks
from kafka_cluster.broker_diagnosis import unreachable
from kafka_cluster.plain_text import printable
from kafka_cluster.reachable import address_of
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings, load_settings
from machine_checks import MACHINE_CHECKS, none_runs, servers

STYLES = {Level.OK: "green", Level.SKIPPED: "dim", Level.WARNING: "yellow", Level.FAULT: "bold red"}
Rows = list[tuple[str, list[Finding]]]


def doctor(find_cluster: Callable[[], Cluster], offset: int) -> int:
    """Look at everything and print what was found; 0 where nothing is wrong, else 1.

    `offset`: the ports' of a second cluster, to which not `.env` but the launcher's own variables lead.
    """
    started = time.monotonic()
    console = Console(highlight=False)
    with console.status("looking ..."):
        rows = diagnose(find_cluster, offset)
    show(rows, console)
    levels = Counter(finding.level for _, found in rows for finding in found)
    said = ", ".join(f"{levels[level]} {level.of(levels[level])}" for level in Level if levels[level])
    print(f"{len(rows)} check{'s' if len(rows) > 1 else ''} in {time.monotonic() - started:.1f} s: {said}")
    return 1 if levels[Level.WARNING] or levels[Level.FAULT] else 0


def diagnose(find_cluster: Callable[[], Cluster], offset: int = 0) -> Rows:
    """All findings; of the settings alone where these can't be used."""
    try:
        cluster = find_cluster()
        settings = load_settings(environ=os.environ | (cluster.environment() if offset else {}))
    except UserError as error:
        return [("settings", [fault(str(error))])]
    return findings(Patient(settings, cluster, offset))


def findings(patient: Patient, seconds: float = SECONDS) -> Rows:
    """All findings about the servers that these settings name and this launcher knows."""
    if not anything_answers(patient.settings) and not runs(patient.cluster):
        return examine([*MACHINE_CHECKS, Check("servers", none_runs)], patient, seconds)
    kafka = KafkaChecks()
    checks = [*MACHINE_CHECKS, Check("servers", servers), kafka.checks(), ELASTICSEARCH, HDFS]
    try:
        return examine(checks, patient, seconds)
    finally:
        kafka.close()


def anything_answers(settings: Settings) -> bool:
    """True if something accepts connections at one of the addresses."""
    urls = [f"kafka://{server}" for server in settings.bootstrap_servers]
    urls += [settings.elasticsearch_url, *settings.webhdfs_url.split(",")]
    with ThreadPoolExecutor(len(urls)) as askers:
        return None in askers.map(lambda url: unreachable(*address_of(url)), urls)


def runs(cluster: Cluster) -> bool:
    """True if one of the servers runs, or if Docker does not tell: then the check of them says why."""
    try:
        return any(state.place for state in cluster.states())
    except UserError:
        return True


def show(rows: Rows, console: Console) -> None:
    """For people on a terminal; else a line for each finding, to be searched."""
    for subject, found in rows:
        for finding in found:
            what, cure = (printable(" ".join(text.split())) for text in (finding.what, finding.cure))
            if not sys.stdout.isatty():
                print(f"{finding.level:<8} {subject:<14} {what}{' -> ' if cure else ''}{cure}")
                continue
            line = Table.grid(padding=(0, 2, 0, 0))
            for width in (len("warning"), len("Elasticsearch"), None):
                line.add_column(min_width=width)
            style = STYLES[finding.level]
            line.add_row(Text(finding.level, style=style), Text(subject, style="bold"), Text(what))
            console.print(line)
            if cure:  # not cut into lines: a command must be there to be copied
                console.print(Text(f"{'':9}-> {cure}", style="cyan"), soft_wrap=True)
