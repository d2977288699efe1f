"""What only containers do: each one killed and started again, the whole taken down and up, Kibana, open ports."""

import os
import subprocess
import sys
import time
from typing import Any

import pytest
import requests

from compose_cluster import ComposeCluster
from docker_containers import FOLDER, compose_command, containers, running_project
from kafka_cluster.script import ROOT
from pipeline import Pipeline, wait_until
from sample import tweet_lines

SCRIPT = str(ROOT / "kafka-cluster" / "cluster.py")
SERVERS = (
    "zookeeper", "kafka1", "kafka2", "kafka3", "elasticsearch", "kibana", "namenode", "datanode1", "datanode2",
    "datanode3",
)  # fmt: skip


@pytest.fixture
def docker(cluster: Any) -> ComposeCluster:
    return cluster.docker


@pytest.fixture
def variables(docker: ComposeCluster, cluster: Any) -> dict[str, str]:
    """What each `up` must know: the passwords of all users, and the names that their rights are for."""
    return os.environ | cluster.env


def compose(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*compose_command(), "-p", running_project() or "", *arguments]
    return subprocess.run(
        command, env=variables, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SERVERS)
def test_killed_and_started_again_nothing_is_lost(
    docker: ComposeCluster, pipeline: Pipeline, name: str
) -> None:
    pipeline.send(tweet_lines(100))
    consumer = pipeline.start("consumer.py")
    docker.kill(name)
    (pipeline.folder / "t.jsonl").write_bytes(b"\n".join(tweet_lines(200)))
    producer = pipeline.start("producer.py", "replay", "t.jsonl", "--rate", "40")
    time.sleep(3)
    docker.start(name)
    assert producer.wait(timeout=90) == 0, producer.log.read_text()  # type: ignore[attr-defined]
    consumer.terminate()
    consumer.wait(timeout=60)
    report = pipeline.catch_up()
    assert (report.exit_code, report.ids) == (0, 300), report
    assert all(state.well for state in docker.states()), docker.states()


@pytest.mark.timeout(600)
def test_a_second_up_changes_nothing_and_data_survives_down_and_up(
    docker: ComposeCluster, variables: dict[str, str], pipeline: Pipeline
) -> None:
    pipeline.send(tweet_lines(80))
    assert pipeline.catch_up().exit_code == 0
    before = {name: container["State"]["StartedAt"] for name, container in containers().items()}
    docker.up()
    after = {name: container["State"]["StartedAt"] for name, container in containers().items()}
    assert {name for name in after if after[name] != before[name]} == {"kibana-setup"}
    project = running_project()
    docker.down()
    assert not containers()
    ComposeCluster(variables, project).up()
    report = pipeline.audit()
    assert (report.exit_code, report.stored, report.indexed) == (0, 80, 80), report


def test_everything_is_published_on_loopback_and_the_password_is_on_no_command_line(
    docker: ComposeCluster,
) -> None:
    password = docker.environment()["elasticsearch_password"]
    for name, container in containers().items():
        published = container["HostConfig"]["PortBindings"] or {}
        assert {entry["HostIp"] for entries in published.values() for entry in entries} <= {"127.0.0.1"}, name
        assert password not in str(container["Config"]["Cmd"]) + str(container["Config"]["Entrypoint"]), name
        if container["State"]["Running"]:
            top = subprocess.run(["docker", "top", container["Id"], "-eo", "pid,args"], capture_output=True, text=True,
                                 check=True)  # fmt: skip
            assert "PID" in top.stdout and password not in top.stdout, name


def test_containers_can_not_gain_privileges(docker: ComposeCluster) -> None:
    for name, container in containers().items():
        if "hadoop" in container["Config"]["Image"]:
            continue  # its start calls sudo
        assert container["HostConfig"]["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"], name


def test_kibana_logs_in_as_a_user_of_its_own(docker: ComposeCluster) -> None:
    environment = docker.environment()
    login = ("kibana_server", environment["elasticsearch_password"])
    user = requests.get(
        f"{environment['elasticsearch_url']}/_security/_authenticate", auth=login, timeout=10
    ).json()
    assert (user["roles"], user["authentication_realm"]["type"]) == (["kibana_system"], "file")
    assert requests.get(f"{environment['kibana_url']}/api/status", timeout=10).ok
    refused = requests.get(environment["elasticsearch_url"], timeout=10)
    assert refused.status_code == 401


def test_the_dashboards_can_be_imported_again(variables: dict[str, str]) -> None:
    for _ in range(2):
        assert compose(variables, "up", "-d", "kibana-setup").returncode == 0
        wait_until(lambda: not containers()["kibana-setup"]["State"]["Running"])
        setup = containers()["kibana-setup"]
        said = subprocess.run(
            ["docker", "logs", "--tail", "1", setup["Id"]], capture_output=True, text=True, check=True
        )
        there = (ROOT / "kibana-dashboards" / "tweets.ndjson").exists()
        assert ("the dashboards are imported" if there else "nothing to import") in said.stdout
        assert setup["State"]["ExitCode"] == 0


def test_the_verbs_choose_the_containers_by_themselves(variables: dict[str, str]) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, SCRIPT, *arguments], env=variables, capture_output=True, text=True,
                              timeout=150, check=False)  # fmt: skip

    assert "kibana" in run("status").stdout
    assert "kibana_url=http://127.0.0.1:5601" in run("env").stdout
    assert "NameNode" in run("logs", "namenode").stderr, "what it printed"
    up = run("up")
    assert "Kibana: http://127.0.0.1:5601, user elastic; the password stands in .env" in up.stdout, up.stderr
