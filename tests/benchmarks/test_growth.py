"""Whether a record costs the same however many there are: `run.py bench -k growth`.

More records, more processes, both groups at once, and a claim of a partition that has 10,000 files.
bench_growth=100000,300000,1000000,3000000 goes further.
"""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import hdfs_native
import pytest

from bench_peers import GROUP_A, GROUP_B, Client
from bench_results import Results
from bench_size import CLAIM_FILES, GROWTH, PROCESSES, RECORDS, ROUNDS
from bench_stage import Stage
from bench_watch import follow, steady
from hdfs_archive import Epoch, date_of, line, piece_name, topic_folder
from hdfs_sink import HdfsSink
from kafka_cluster.settings import load_settings
from sample import Record
from topic_guard import open_topic_guard

GROUPS = (GROUP_A, GROUP_B)
LONGEST_SECONDS = 1_200.0
AT_ONCE_ROUNDS = min(3, ROUNDS)
MANY = ["bash", "-c", 'for each in $(seq "$processes"); do "$@" & done; wait', "-"]
"""As many of a command as `processes` says, as one."""


@pytest.mark.usefixtures("warm")
@pytest.mark.timeout(7200)
def test_growth_of_records(stage: Stage, results: Results) -> None:
    results.begin("growth")
    for records in GROWTH:
        topic = stage.topic(records)
        for client in GROUPS:
            results.add("growth", client.name, records=records, **alone(stage, client, records))
        if records != RECORDS:
            stage.delete_topic(topic.name)


@pytest.mark.usefixtures("warm")
@pytest.mark.timeout(3600)
def test_growth_of_processes(stage: Stage, results: Results) -> None:
    results.begin("processes")
    for processes in PROCESSES:
        for client in GROUPS:
            results.add(
                "processes", client.name, processes=processes, **alone(stage, client, RECORDS, processes)
            )


@pytest.mark.usefixtures("warm")
@pytest.mark.timeout(3600)
def test_growth_of_cost_where_both_groups_run_at_once(stage: Stage, results: Results) -> None:
    results.begin("at once")
    topic = stage.topic(RECORDS)
    for number in range(AT_ONCE_ROUNDS):
        for client in GROUPS:
            results.add("at once", f"{client.name}, alone", round=number, **alone(stage, client, RECORDS))
        jobs = [stage.job(client, topic) for client in GROUPS]
        runs = [stage.start(job) for job in jobs]
        try:
            follow(runs, LONGEST_SECONDS)
            for client, run in zip(GROUPS, runs, strict=True):
                results.add("at once", f"{client.name}, at once", round=number, **steady(run, RECORDS))
        finally:
            for run, job in zip(runs, jobs, strict=True):
                run.end()
                stage.clear(job)


def alone(stage: Stage, client: Client, records: int, processes: int = 1) -> dict[str, float]:
    """One group with nothing beside it, and what is at the sink afterwards."""
    job = stage.job(client, stage.topic(records), processes=str(processes))
    many = replace(client, command=lambda env, folder: ([*MANY, *client.command(env, folder)[0]], {}))
    run = stage.start(replace(job, client=many) if processes > 1 else job)
    try:
        follow([run], LONGEST_SECONDS)
        figures = steady(run, records)
        assert stage.quick_count(job) == records
        return figures
    finally:
        run.end()
        stage.clear(job)


@pytest.mark.timeout(1800)
def test_growth_of_files_and_the_time_of_a_claim(
    stage: Stage, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.begin("claim")
    monkeypatch.setenv("HADOOP_USER_NAME", stage.settings.hdfs_user)
    root, name = f"/bench/claim-{uuid.uuid4().hex[:8]}", stage.new_topic()
    settings = load_settings(stage.folder / "no.env", stage.cluster.env | {"topic": name, "hdfs_root": root})
    with open_topic_guard(settings) as guard:
        sink = HdfsSink(settings, guard)
        folder = topic_folder(root, name, guard.topic_id)
        for partition, files in enumerate((1, CLAIM_FILES)):
            fill(stage, f"{folder}/partition={partition}", files)
            for number in range(ROUNDS):
                started = time.monotonic()
                claim = sink.claim(partition)
                results.add("claim", "claim", files=files, round=number, seconds=time.monotonic() - started)
                assert claim.next == files
        sink.close()
    stage.hdfs.delete(root, recursive=True)


def fill(stage: Stage, partition_folder: str, files: int) -> None:
    """A sealed epoch with so many pieces; over HDFS's own protocol, which is quicker, and only the last with a line."""
    folder = f"{partition_folder}/{Epoch.after(()).sealed}/dt={date_of(time.time_ns() // 1_000_000)}"
    client = hdfs_native.Client(f"hdfs://127.0.0.1:{stage.namenode_port}")

    def make(offset: int) -> None:
        with client.create(f"{folder}/{piece_name(offset)}") as file:
            if offset == files - 1:
                file.write(line(Record(b"{}", offset)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(files)))
