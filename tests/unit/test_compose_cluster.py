"""What is refused before Docker is asked, and how containers' states are read."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import cluster
import compose_cluster
import docker_containers
from clusters import PASSWORDS
from compose_cluster import ComposeCluster, check_addresses, check_passwords
from compose_file import COMPOSE_FILE
from docker_containers import compose_command, containers, health, is_running
from doctor import runs
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings

PASSWORD = {"elasticsearch_password": "secret-7"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "bootstrap_servers_ip",
            "localhost",
            "127.0.0.1; a host name for clients goes into bootstrap_servers_name",
        ),
        ("bootstrap_servers_ip", "brokers.example", "Docker binds it, so give an IPv4 address"),
        ("bootstrap_servers_ip", "0.0.0.0", "to which no client can be sent"),  # noqa: S104
        ("bind_address", "myhost", "Docker binds it, so give an IPv4 address"),
        ("bind_address", "0.0.0.0", "to which no client can be sent"),  # noqa: S104
    ],
)
def test_an_address_that_docker_can_not_bind_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(UserError, match=f"{name} is {value}.*{said}"):
        check_addresses({name: value})


def test_addresses_that_can_be_bound_pass() -> None:
    check_addresses({"bootstrap_servers_ip": "192.168.1.7", "bind_address": ""})


@pytest.mark.parametrize(
    "password", ["short", "pa$$word", "two words", 'quo"ted', "with#hash", "back\\slash"]
)
def test_a_password_that_compose_reads_otherwise_is_refused_by_name(password: str) -> None:
    for name in PASSWORDS:
        with pytest.raises(UserError, match=f"{name} wants at least 6 letters"):
            check_passwords(PASSWORD | {name: password})
    check_passwords(PASSWORD | {"elasticsearch_reader_password": ""})


def test_what_is_open_is_said_with_its_ports() -> None:
    closed = ComposeCluster(PASSWORD).hints()
    assert len(closed) == 1 and "user elastic; the password stands in .env" in closed[0]
    brokers = ComposeCluster(PASSWORD | {"bootstrap_servers_ip": "192.168.1.7"}).hints()[1:]
    assert len(brokers) == 1 and "9091, 9092, 9093 are open on 192.168.1.7" in brokers[0]
    others = ComposeCluster(PASSWORD | {"bind_address": "192.168.1.7"}).hints()[1:]
    assert len(others) == 1
    for opened in ("ZooKeeper 2181", "9870", "9864, 9865, 9866", "Elasticsearch 9200", "Kibana 5601"):
        assert opened in others[0]
    assert "secret-7" not in "".join(closed + brokers + others)


def test_the_scripts_find_what_is_published_elsewhere() -> None:
    moved = {"bootstrap_servers_ip": "192.168.1.7", "bind_address": "192.168.1.8"}
    found = ComposeCluster(PASSWORD | moved).environment()
    settings = Settings(**moved)
    assert found["bootstrap_servers"] == ",".join(settings.bootstrap_servers)
    assert found["elasticsearch_url"] == settings.elasticsearch_url == "http://192.168.1.8:9200"
    assert found["webhdfs_url"] == settings.webhdfs_url == "http://192.168.1.8:9870"
    named = Settings(bootstrap_servers_ip="192.168.1.7", bootstrap_servers_name="brokers.example")
    assert named.bootstrap_servers[0] == "brokers.example:9091"


@pytest.mark.parametrize(
    ("service", "state", "said"),
    [
        ("kafka1", {"Running": True, "Health": {"Status": "healthy"}}, "ready"),
        ("kafka1", {"Running": True, "Health": {"Status": "starting"}}, "starting"),
        ("kafka1", {"Running": True, "Health": {"Status": "unhealthy"}}, "runs, does not answer"),
        ("kafka1", {"Running": True, "Paused": True, "Health": {"Status": "healthy"}}, "frozen"),
        ("kafka1", {"Running": False, "Status": "exited", "ExitCode": 0}, "down"),
        ("kibana-setup", {"Running": True}, "running"),
        ("kibana-setup", {"Running": False, "Status": "exited", "ExitCode": 0}, "done"),
        ("kibana-setup", {"Running": False, "Status": "exited", "ExitCode": 1}, "down"),
        ("kibana-setup", {"Running": False, "Status": "created", "ExitCode": 0}, "down"),
    ],
)
def test_a_container_s_health_in_words(service: str, state: dict[str, Any], said: str) -> None:
    labels = {"com.docker.compose.service": service}
    assert health({"State": {"Paused": False} | state, "Config": {"Labels": labels}}) == said


def container_of(service: str, **state: Any) -> dict[str, Any]:
    """As `docker inspect` shows one."""
    labels = {"service": service, "project.working_dir": str(COMPOSE_FILE.parent)}
    return {
        "Id": service, "State": {"Paused": False, "Running": False, "Status": "exited"} | state,
        "Config": {"Labels": {f"com.docker.compose.{name}": value for name, value in labels.items()}},
    }  # fmt: skip


# what `start` waits for


@pytest.fixture
def kibana_setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The states that a started set-up shows, one after the other; asked once more, the time is over."""
    states: list[dict[str, Any]] = []
    monkeypatch.setattr(compose_cluster, "containers", lambda: {"kibana-setup": states.pop(0)})
    monkeypatch.setattr(
        compose_cluster, "docker", lambda *command: subprocess.CompletedProcess(command, 0, "", "")
    )
    monkeypatch.setattr(compose_cluster, "last_line", lambda _: "can't import the dashboards: 503")
    yield states
    assert not states


def test_a_set_up_that_is_started_again_is_done(kibana_setup: list[dict[str, Any]]) -> None:
    done = container_of("kibana-setup", ExitCode=0)
    kibana_setup += [done, container_of("kibana-setup", Running=True, Status="running"), done]
    ComposeCluster(PASSWORD).start("kibana-setup")


def test_a_set_up_that_fails_is_given_up_at_once(kibana_setup: list[dict[str, Any]]) -> None:
    failed = container_of("kibana-setup", ExitCode=1)
    kibana_setup += [failed, failed]
    with pytest.raises(UserError, match="kibana-setup failed: can't import the dashboards: 503"):
        ComposeCluster(PASSWORD).start("kibana-setup")


# a Docker that does not answer


DENIED = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get ..."
HANGS = "no answer within 10 s"
NOT_RUNNING = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
)


def docker_answers(monkeypatch: pytest.MonkeyPatch, **said: tuple[int, str, str]) -> None:
    """Exit code, stdout and stderr by verb, of a docker that is there."""

    def answer(verb: str, *_: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], *said[verb])

    monkeypatch.setattr(docker_containers, "docker", answer)
    monkeypatch.setattr(docker_containers.shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.parametrize(
    ("why", "cure"),
    [
        (DENIED, "join the group docker"),
        (f"Got {DENIED}", "join the group docker"),
        (HANGS, "start Docker Desktop, or the service docker, anew"),
    ],
)
@pytest.mark.parametrize("verb", ["ps", "inspect"])
def test_a_docker_that_refuses_or_hangs_is_not_taken_for_one_without_containers(
    monkeypatch: pytest.MonkeyPatch, verb: str, why: str, cure: str
) -> None:
    docker_answers(
        monkeypatch,
        **{"version": (0, "", ""), "compose": (0, "", ""), "ps": (0, "1f", ""), verb: (1, "", why)},
    )
    for ask in (containers, is_running, compose_command, ComposeCluster(PASSWORD).states):
        with pytest.raises(UserError, match=f"Docker does not answer .{why[:30]}.*: {cure}"):
            ask()
    assert runs(ComposeCluster(PASSWORD)), "the doctor goes on, and its check of servers says why"


@pytest.mark.parametrize("why", [NOT_RUNNING, "error during connect: open //./pipe/docker_engine: not found"])
def test_a_docker_that_is_not_running_has_no_containers(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    docker_answers(monkeypatch, ps=(1, "", why))
    assert containers() == {} and not is_running()


def test_a_container_that_is_removed_while_it_is_asked_for_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka1 = container_of("kafka1", Running=True)
    docker_answers(
        monkeypatch, ps=(0, "1f\n2f", ""), inspect=(1, json.dumps([kafka1]), "Error: No such object: 2f")
    )
    assert containers() == {"kafka1": kafka1}


@pytest.mark.parametrize("why", [DENIED, HANGS])
def test_servers_as_processes_need_no_docker_and_what_was_not_asked_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], why: str
) -> None:
    pytest.importorskip("fcntl")
    docker_answers(monkeypatch, compose=(0, "", ""), ps=(1, "", why))
    monkeypatch.setattr("kafka_cluster.settings.env_file_values", lambda: PASSWORD)
    chosen = cluster.choose(docker=False, offset=0)
    assert not isinstance(chosen, ComposeCluster)
    said = capsys.readouterr()
    assert (
        f"cluster.py: only servers as processes are looked at: Docker does not answer ({why.partition(': Get')[0]}):"
        in said.err
    )
    assert said.err.count("\n") == 1 and not said.out
    with pytest.raises(UserError, match="Docker does not answer"):
        cluster.choose(docker=True, offset=0).down()
    docker_answers(monkeypatch, ps=(1, "", NOT_RUNNING))
    cluster.choose(docker=False, offset=0)
    assert not capsys.readouterr().err


def test_where_servers_can_not_be_processes_docker_is_named() -> None:
    as_on_windows = "import runpy, sys; sys.modules['fcntl'] = None; sys.argv = ['cluster.py', 'up']"
    done = subprocess.run(
        [sys.executable, "-c", f"{as_on_windows}; runpy.run_path('cluster.py', run_name='__main__')"],
        cwd=ROOT / "kafka-cluster", env=os.environ | PASSWORD, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "use Docker Desktop and --docker, or WSL2" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
