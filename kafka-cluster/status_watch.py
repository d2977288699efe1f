"""`status --watch`: servers, leaders, in-sync replicas, topic rate and lag as they change, until Ctrl-C."""

import os
import time
from contextlib import closing
from datetime import datetime
from typing import NoReturn

from kafka.errors import KafkaError
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cluster_status import new_table, servers_table
from clusters import Cluster, ServerState
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings, load_settings
from topic_look import Look, Observer, lag_text

TERMINAL_SECONDS, PLAIN_SECONDS = 1.0, 5.0


def watch_status(cluster: Cluster) -> NoReturn:
    """Show it again and again: drawn anew on a terminal, a line now and then elsewhere. Ends by KeyboardInterrupt."""
    settings = load_settings(environ=os.environ | cluster.environment())
    console = Console(highlight=False)
    with closing(Observer(settings)) as observer:
        if not console.is_terminal:
            while True:
                print(as_line(cluster.states(), _look(observer)), flush=True)
                time.sleep(PLAIN_SECONDS)
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(as_tables(settings, cluster.states(), _look(observer)), refresh=True)
                time.sleep(TERMINAL_SECONDS)


def as_tables(settings: Settings, states: list[ServerState], look: Look | str) -> Group:
    """The view on a terminal. `look`: a look, or why there is none."""
    rows: list[RenderableType] = [Text(f"{datetime.now():%H:%M:%S}"), servers_table(states), Text()]
    if isinstance(look, str):
        return Group(*rows, Text(look, style="red"))
    rate = f"topic {settings.topic}: {look.rate:,.0f} records/s, {look.records:,} records"
    groups = new_table("group", "lag")
    for name, lag in zip((settings.elasticsearch_group, settings.hdfs_group), look.lags, strict=True):
        groups.add_row(name, lag_text(lag))
    return Group(*rows, Text(rate), partitions_table(look), Text(), groups)


def partitions_table(look: Look) -> Table:
    """Leader and in-sync replicas, a column a partition."""
    table = new_table("partition", *map(str, range(len(look.leaders))))
    table.add_row("leader", *map(look.leader, range(len(look.leaders))))
    complete = [len(nodes) == count for nodes, count in zip(look.in_sync, look.replicas, strict=True)]
    table.add_row(
        "in sync",
        *(
            Text(" ".join(map(str, nodes)), style="" if well else "yellow")
            for nodes, well in zip(look.in_sync, complete, strict=True)
        ),
    )
    return table


def as_line(states: list[ServerState], look: Look | str) -> str:
    """The view where there is no terminal."""
    ill = ", ".join(f"{state.name} {state.health}" for state in states if not state.well)
    servers = f"{sum(state.well for state in states)} of {len(states)} servers are well"
    return f"{datetime.now():%H:%M:%S}  {servers}{f' ({ill})' if ill else ''}   {look}"


def _look(observer: Observer) -> Look | str:
    try:
        return observer.look()
    except (KafkaError, UserError) as error:
        return f"Kafka: {error}"
