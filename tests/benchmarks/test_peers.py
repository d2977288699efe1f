"""Both groups and what people use instead, on the same topic, in interleaved rounds: `run.py bench -k peers`."""

from collections.abc import Iterator

import pytest

from bench_peers import CLIENTS, Client
from bench_results import Results
from bench_size import RECORDS, ROUNDS
from bench_stage import Job, Stage, installed
from bench_watch import follow, steady

LONGEST_SECONDS = 300.0
MOST_RESIDENT = 150
"""MB that one of our processes may hold."""


@pytest.mark.usefixtures("warm")
@pytest.mark.timeout(7200)
def test_peers_do_the_same_job_in_the_same_run(stage: Stage, results: Results) -> None:
    results.begin("peers")
    clients = list(those_installed(stage, results))
    for number in range(ROUNDS):
        for client in clients:
            job = stage.job(client, stage.topic(client.most or RECORDS))
            try:
                row = deliver(stage, job)
            except AssertionError as error:
                if client.ours:
                    raise
                row = {"failed": str(error)[-600:]}
            finally:
                stage.clear(job)
            results.add("peers", client.name, sink=client.sink, round=number, **row)
    ours = [row for client in clients if client.ours for row in results.of("peers", client.name)]
    assert all(row["lost"] == row["doubled"] == row["torn"] == 0 for row in ours), ours
    assert all(row["resident"] < MOST_RESIDENT for row in ours), ours


def those_installed(stage: Stage, results: Results) -> Iterator[Client]:
    """The clients that can be had here; the others are in the table with the reason."""
    for client in CLIENTS:
        reason = installed(client, stage)
        if reason is None:
            yield client
        else:
            results.add("peers", client.name, sink=client.sink, missing=reason)


def deliver(stage: Stage, job: Job) -> dict[str, float]:
    """Run a job from its start to its end; the figures of its steady part, and what is at the sink afterwards."""
    run = stage.start(job)
    try:
        follow([run], LONGEST_SECONDS)
        figures = steady(run, job.topic.records)
    finally:
        run.end()
    return figures | stage.count(job)
