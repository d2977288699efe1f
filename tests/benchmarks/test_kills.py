"""Killed with -9 when 40% is delivered, and started again, ten times each: what is lost, what is doubled.

`run.py bench -k kills`. Speed is not measured here, so a client of each sink is at work at the same time.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench_peers import CLIENTS, ELASTICSEARCH, HDFS, Client
from bench_results import Results
from bench_size import KILL_RECORDS, KILLS
from bench_stage import Job, Stage, installed
from bench_watch import Running

KILL_AT = 0.4
LOOK_SECONDS = 0.05
LONGEST_SECONDS = 180.0
COMMITTED_SECONDS = 3.0
"""Waited after everything is committed, for what may be in flight behind it."""
IDLE_SECONDS = 25.0
"""The end of those that commit nothing to Kafka, or have lost the rest."""


@pytest.mark.timeout(7200)
def test_kills(stage: Stage, results: Results) -> None:
    results.begin("kills")
    clients = [client for client in CLIENTS if installed(client, stage) is None]
    for client in clients:
        stage.topic(client.most or KILL_RECORDS)

    def lane(sink: str) -> None:
        for number in range(KILLS):
            for client in (client for client in clients if client.sink == sink):
                results.add("kills", client.name, sink=sink, kill=number, **killed_once(stage, client))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lane, (ELASTICSEARCH, HDFS)))
    ours = [row for client in clients if client.ours for row in results.of("kills", client.name)]
    assert all(row["lost"] == row["doubled"] == row["torn"] == 0 for row in ours), ours
    assert any(row.get("doubled") or row.get("lost") for row in results.of("kills")), "no kill hit anything"


def killed_once(stage: Stage, client: Client) -> dict[str, float | str]:
    """Start, kill at 40%, start again, wait for the end, count."""
    job = stage.job(client, stage.topic(client.most or KILL_RECORDS))
    begun = time.monotonic()
    try:
        first = stage.start(job)
        try:
            reach(first, KILL_AT * (job.topic.records if client.sink == ELASTICSEARCH else job.topic.size))
        finally:
            first.kill()
        finish(stage, job)
        return stage.count(job) | {"seconds": time.monotonic() - begun}
    except AssertionError as error:
        if client.ours:
            raise
        return {"failed": str(error)[-600:]}
    finally:
        stage.clear(job)


def reach(run: Running, arrived: float) -> None:
    """Wait until so much is at the sink."""
    while not run.samples or run.samples[-1].arrived < arrived:
        run.look()
        assert run.process.poll() is None, f"it ended before it could be killed: {run.last_words()}"
        assert run.samples[-1].at < LONGEST_SECONDS, f"nothing to kill: {run.last_words()}"
        time.sleep(LOOK_SECONDS)


def finish(stage: Stage, job: Job) -> None:
    """Start it again, as often as it dies of what the kill has left, until it is done; ours dies of nothing."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        run = stage.start(job)
        try:
            if done(stage, job, run, deadline):
                return
            assert not job.client.ours and time.monotonic() < deadline, run.last_words()
        finally:
            run.end()
        time.sleep(1.0)


def done(stage: Stage, job: Job, run: Running, deadline: float) -> bool:
    """Wait until it ends by itself, or has committed everything, or does nothing any more; False where it died."""
    committed_at = None
    while run.process.poll() is None:
        run.look()
        now = time.monotonic()
        if stage.lag(job):
            committed_at = None
        elif committed_at is None:
            committed_at = now
        elif now - committed_at > COMMITTED_SECONDS:
            return True
        if (
            run.quiet_seconds > (IDLE_SECONDS if run.samples[-1].arrived else 3 * IDLE_SECONDS)
            or now > deadline
        ):
            return True
        time.sleep(1.0)
    return run.process.returncode == 0
