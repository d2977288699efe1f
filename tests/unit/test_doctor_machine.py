"""What the doctor says of traps in the settings, of this machine, and of Docker, for which no server is needed."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import compose_cluster
import docker_containers
from clusters import Listener, Memory
from compose_cluster import ComposeCluster
from compose_file import COMPOSE_FILE
from diagnosis import GIB, said, the_one
from findings import Level, Patient, ok
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from machine_checks import beyond_loopback, led_elsewhere, memory, password, spill_room, weakness, x_keys
from processes import ServerProcess

PATIENT = Patient(Settings(elasticsearch_password="a-password-of-its-own"), None)  # type: ignore[arg-type]


def of(**settings: Any) -> Patient:
    return replace(PATIENT, settings=replace(PATIENT.settings, **settings))


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("short-1", "7 characters"),
        ("aaaaaaaaaaaab", "only 2 different"),
        ("Password-2026!", "everybody tries"),
        ("changeme-changeme", "everybody tries"),
        ("elastic1234567890", "everybody tries"),
    ],
)
def test_a_weak_password(secret: str, why: str) -> None:
    assert why in (weakness(secret, "elastic") or "")


@pytest.mark.parametrize("secret", ["Vq3n-8_xYt0aPz7LmWc2RkDe", "84023957-10293847", "elastic-band-and-glue"])
def test_a_password_that_is_not_weak(secret: str) -> None:
    assert weakness(secret, "elastic") is None


def test_no_password_is_asked_for_where_something_else_logs_in() -> None:
    (key,) = password(of(elasticsearch_password="", elasticsearch_api_key="k"))
    assert key == ok("no elasticsearch_password: an API key stands in its place")
    (users,) = password(of(elasticsearch_password="", elasticsearch_writer_password="w"))
    assert users.level is Level.OK and "passwords of the scripts' own users" in users.what
    assert said(password(of(elasticsearch_password="short", elasticsearch_api_key="k")))


@pytest.mark.parametrize(
    ("keys", "what", "cure"),
    [
        ({"api_key": "a"}, "with api_key alone nothing can be read", "put api_key and api_secret"),
        (
            {"access_token": "a", "access_token_secret": "b"},
            "access_token_secret alone nothing",
            "put api_key",
        ),
        (
            {"api_key": "a", "api_secret": "b", "rules_file": "none.txt"},
            "there is no none.txt",
            "cp rules.example.txt",
        ),
    ],
)
def test_keys_of_x_that_do_not_do(keys: dict[str, str], what: str, cure: str) -> None:
    level, shown, advice = the_one(x_keys(of(**keys)))
    assert level is Level.WARNING and what in shown and cure in advice


def test_no_keys_at_all_are_fine() -> None:
    assert said(x_keys(PATIENT)) == []
    assert said(x_keys(of(api_key="a", api_secret="b", rules_file="rules.example.txt"))) == []


def test_a_disk_that_the_spill_file_may_fill(tmp_path: Path) -> None:
    level, what, _ = the_one(
        spill_room(of(spill_folder=str(tmp_path / "new" / "spill"), spill_bytes=1 << 60))
    )
    assert level is Level.WARNING and "what waits there while Kafka is away may be 1,073,741,824.0 GB" in what


class Launcher:
    """What the memory check asks of a cluster."""

    def __init__(self, room: int) -> None:
        self._room = room

    def memory(self) -> Memory:
        return Memory(self._room, 3 * GIB, "buy some")


def test_too_little_memory() -> None:
    level, what, cure = the_one(memory(replace(PATIENT, cluster=Launcher(2 * GIB))))  # type: ignore[arg-type]
    assert (level, cure) == (
        Level.WARNING,
        "buy some",
    ) and "2.0 GB for all servers, and they need 3.0 GB" in what
    assert said(memory(replace(PATIENT, cluster=Launcher(4 * GIB)))) == []  # type: ignore[arg-type]


def test_only_addresses_that_others_reach_are_open() -> None:
    listeners = [
        Listener("kafka1", "127.0.0.1", 9091), Listener("kafka1", "::1", 9091), Listener("kafka1", "127.0.0.2", 9),
        Listener("kafka1", "::ffff:127.0.0.1", 29091), Listener("kafka2", "192.168.1.7", 9092),
        Listener("zookeeper", "0.0.0.0", 2181), Listener("zookeeper", "::", 2181),  # noqa: S104
    ]  # fmt: skip
    assert beyond_loopback(listeners) == {"192.168.1.7": ["kafka2 9092"], "every address": ["zookeeper 2181"]}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server listen where nobody is")
def test_where_a_server_really_listens_is_seen(tmp_path: Path) -> None:
    """At an address for documents, which nobody has: IP_FREEBIND lets a server listen there, and nobody reach it."""
    listen = (
        "import socket, time\n"
        "s = socket.socket(); s.setsockopt(socket.IPPROTO_IP, 15, 1); s.bind(('192.0.2.1', 0)); s.listen()\n"
        "open('ready', 'w').close(); time.sleep(60)\n"
    )
    process = ServerProcess("kafka1", tmp_path)
    process.start([sys.executable, "-c", listen], os.environ)
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < deadline, process.last_words()
            time.sleep(0.05)
        ((address, port),) = process.listeners()
    finally:
        process.kill()
    assert beyond_loopback([Listener("kafka1", address, port)]) == {"192.0.2.1": [f"kafka1 {port}"]}


def test_scripts_that_are_led_to_other_servers_than_those_that_run_here() -> None:
    here = {
        "bootstrap_servers": "127.0.0.1:9091,127.0.0.1:9092,127.0.0.1:9093",
        "elasticsearch_url": "http://127.0.0.1:9200", "webhdfs_url": "http://127.0.0.1:9870",
    }  # fmt: skip
    assert said(led_elsewhere(Settings(), here)) == []
    level, what, _ = the_one(led_elsewhere(Settings(bootstrap_servers_ip="192.168.1.7"), here))
    assert level is Level.WARNING and "the scripts use bootstrap_servers = 192.168.1.7:9091,192" in what


# Docker


NOT_THERE = "Cannot connect to the Docker daemon at unix:///nowhere.sock. Is the docker daemon running?"
PUBLISHED = {  # of `docker inspect`
    "NetworkSettings": {
        "Ports": {
            "9092/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9092"}],
            "9200/tcp": [{"HostIp": "0.0.0.0", "HostPort": "9200"}, {"HostIp": "::", "HostPort": "9200"}],  # noqa: S104
            "9300/tcp": None,
        }
    }
}


def docker_says(monkeypatch: pytest.MonkeyPatch, stdout: str, code: int = 0, stderr: str = "") -> None:
    def answer(*_: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], code, stdout, stderr)

    monkeypatch.setattr(docker_containers, "docker", answer)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def test_docker_desktops_memory_is_that_of_its_virtual_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ComposeCluster({"elasticsearch_password": "a-password-of-its-own"})
    info = '{"ID":"2b7b","Containers":0,"Driver":"overlay2","NCPU":4,"MemTotal":%d,"ServerVersion":"28.2.2"}'
    docker_says(monkeypatch, info % (4109484032))  # Docker Desktop set to 4 GB
    level, what, cure = the_one(memory(replace(PATIENT, cluster=cluster)))
    assert level is Level.WARNING and "there are 3.8 GB" in what and "give Docker Desktop 8 GB" in cure
    docker_says(monkeypatch, info % (8217571328))  # set to 8 GB
    assert said(memory(replace(PATIENT, cluster=cluster))) == []


def test_what_docker_needs_is_what_the_compose_file_allows() -> None:
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"].values()
    units = {"m": 1 << 20, "g": 1 << 30}
    limits = sum(int(service["mem_limit"][:-1]) * units[service["mem_limit"][-1]] for service in services)
    assert 0.9 * limits < compose_cluster.MEMORY_NEEDED < limits


def test_docker_that_is_not_running(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("docker"):
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    else:
        docker_says(monkeypatch, '{"ID":"","MemTotal":0,"ServerVersion":""}', 1, NOT_THERE)
    with pytest.raises(UserError, match=r"Docker does not answer \(.*nowhere.sock.*\): start Docker Desktop"):
        docker_containers.total_memory()


def test_published_ports_that_others_reach() -> None:
    found = docker_containers.published(PUBLISHED)
    listeners = [Listener("elasticsearch", *where) for where in sorted(found)]
    assert beyond_loopback(listeners) == {"every address": ["elasticsearch 9200"]}
    assert docker_containers.published({"NetworkSettings": {"Ports": None}}) == set()
