"""Ctrl-C at any moment: no traceback, nothing left running, and the next run does the whole work."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from kafka_cluster.script import ROOT
from native_cluster import NativeCluster, free_offset
from pipeline import Pipeline, wait_until
from sample import tweet_lines

pytestmark = pytest.mark.long

ENDED = {130, -signal.SIGINT}
"""Exit codes after Ctrl-C: ours, and while nothing is begun, the signal itself. A shell shows 130 for both."""
MARK = "interrupted_test"
HEADER_SECONDS = 10.0


def interrupt(
    command: list[str], env: dict[str, str], seconds: float, silent: bool = True
) -> tuple[int, str]:
    """Start it, press Ctrl-C so long after it has begun, and wait; returns exit code and output.

    `silent`: without a traceback, which pytest alone prints while it is imported.
    """
    mark = f"{time.time_ns()}"
    process = subprocess.Popen(
        [sys.executable, *command], env=os.environ | env | {MARK: mark}, cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for_header(process.pid)
    time.sleep(seconds)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=90)[0]
    if silent:
        assert "Traceback" not in said and "Exception ignored" not in said, f"after {seconds:.2f} s: {said}"
    wait_until(lambda: not processes_of(mark), 20)
    return process.returncode, said


def wait_for_header(pid: int) -> None:
    """Until the interpreter has started and the script's first lines have made Ctrl-C silent."""
    deadline, started = time.monotonic() + HEADER_SECONDS, False
    while time.monotonic() < deadline:
        caught = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0]
        if int(caught, 16) & 1 << signal.SIGINT - 1:
            started = True
        elif started:
            return
        time.sleep(0.005)


def processes_of(mark: str) -> list[psutil.Process]:
    """What runs with the mark in its environment: whatever the script started, and the servers it started too."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def moments(count: int, longest: float) -> list[float]:
    """So many, at random, the first at once."""
    return [0.0, *(random.uniform(0, longest) for _ in range(count - 1))]


@pytest.mark.timeout(300)
def test_a_replay(pipeline: Pipeline) -> None:
    file = pipeline.folder / "tweets.jsonl"
    file.write_bytes(b"\n".join(tweet_lines(20_000)))
    command = [str(ROOT / "kafka-producer" / "producer.py"), "replay", str(file), "--rate", "2000"]
    for seconds in moments(8, 4):
        code, said = interrupt(command, pipeline.env, seconds)
        assert code in ENDED | {0}, said  # 0: what was read is acknowledged
    done = pipeline.run("producer.py", "replay", str(file))
    assert done.returncode == 0 and "20,000 acknowledged" in done.stdout
    assert pipeline.catch_up().exit_code == 0


@pytest.mark.timeout(300)
def test_a_rebuild(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(15_000))
    assert pipeline.catch_up().exit_code == 0
    command = [str(ROOT / "kafka-consumer" / "archive.py"), "rebuild", "--from", "hdfs"]
    for seconds in moments(8, 6):
        code, said = interrupt(command, pipeline.env, seconds)
        assert code in ENDED | {0}, said
        assert pipeline.audit().exit_code == 0, "what is searched is whole meanwhile"
    for _ in range(2):  # the first may only finish what was left behind the switch
        done = pipeline.run("archive.py", "rebuild", "--from", "hdfs", "--drop-old")
        assert done.returncode == 0, done.stderr
    report = pipeline.audit()
    assert report.exit_code == 0 and report.indexed == 15_000, report


def test_both_groups(pipeline: Pipeline) -> None:
    pipeline.send(tweet_lines(5_000))
    for seconds in moments(5, 5):
        code, said = interrupt([str(ROOT / "kafka-consumer" / "consumer.py")], pipeline.env, seconds)
        assert code in ENDED | {0}, said
    report = pipeline.catch_up()
    assert report.exit_code == 0 and report.indexed == report.stored == 5_000


def test_an_import_of_the_dashboards_that_waits_for_kibana() -> None:
    env = {"kibana_url": "http://127.0.0.1:1", "elasticsearch_password": "secret"}
    command = [str(ROOT / "kibana-dashboards" / "import_dashboards.py")]
    for seconds in moments(8, 2):
        assert interrupt(command, env, seconds)[0] in ENDED


@pytest.mark.timeout(900)
def test_the_start_of_the_cluster(cluster: Any) -> None:
    """From nothing: the NameNode's format, Elasticsearch's keystore, the servers, the first writes."""
    native: NativeCluster = cluster.native
    script = str(ROOT / "kafka-cluster" / "cluster.py")
    command = [script, "up", "--port-offset", str(cluster.offset)]
    try:
        native.down(volumes=True)
        for seconds in [*moments(4, 15), 25.0]:
            code, said = interrupt(command, cluster.env, seconds)
            assert code in ENDED | {0}, said
            running = [name for name, process in native.processes.items() if process.pid]
            assert len(running) == (0 if code else len(native.processes)), said
            native.down()
        done = subprocess.run(
            [sys.executable, *command], env=os.environ | cluster.env, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        native.up()


@pytest.fixture
def env_file() -> Iterator[None]:
    """`run.py demo` writes .env where there is none."""
    there = (ROOT / ".env").exists()
    yield
    if not there:
        (ROOT / ".env").unlink(missing_ok=True)


@pytest.mark.timeout(600)
def test_the_demo(pipeline: Pipeline, cluster: Any, env_file: None) -> None:
    command = [str(ROOT / "run.py"), "demo", "--port-offset", str(cluster.native.offset)]
    for seconds in moments(6, 25):
        code, said = interrupt(command, pipeline.env, seconds)
        assert "installing" not in said, "what the tests need has all that the demo needs"
        # during the stream it only ends the stream, and the audit follows; a group that had just begun has not read all
        assert code in ENDED or "all agree" in said or "not yet" in said, (
            f"{code} after {seconds:.2f} s: {said}"
        )
        assert all(process.pid for process in cluster.native.processes.values())
    assert pipeline.catch_up().exit_code == 0


@pytest.mark.timeout(600)
def test_the_tests() -> None:
    """On a cluster of their own, beside the one that may run."""
    if psutil.virtual_memory().available < 6 << 30:
        pytest.skip("needs 6 GB of free memory for a cluster more")
    before = free_offset({"elasticsearch_password": "x"})
    command = [str(ROOT / "run.py"), "test", "tests/integration/test_producer.py", "-k", "dry_run or sample"]
    for seconds in (1.0, *moments(3, 30)):
        code, said = interrupt(command, {}, seconds, silent=False)
        assert code in ENDED | {0, 1}, said
        assert free_offset({"elasticsearch_password": "x"}) == before, "servers and data are gone"


def test_an_install(tmp_path: Path) -> None:
    """The next run begins anew: half of a package would count as installed."""
    for name in ("run.py", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in ("requirements.txt", "requirements-dev.txt", "kafka-cluster/requirements-native.txt",
                 "kibana-dashboards/requirements-preview.txt"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "requirements.txt").write_text("-e .\n")
    (tmp_path / "kafka-cluster" / "kafka_cluster").mkdir()
    (tmp_path / "kafka-cluster" / "kafka_cluster" / "__init__.py").touch()
    command = [str(tmp_path / "run.py"), "down"]
    for seconds in (0.5, *moments(3, 8)):
        code, said = interrupt(command, {}, seconds)
        assert code in {*ENDED, 2}, said  # 2: it was installed, and here is no cluster.py
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert "installed in" in done.stdout or "can't open file" in done.stderr, done.stdout + done.stderr
    packages = subprocess.run(
        [str(tmp_path / ".venv" / "bin" / "python"), "-m", "pip", "list", "--format", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "kafka-cluster" in {package["name"] for package in json.loads(packages.stdout)}
