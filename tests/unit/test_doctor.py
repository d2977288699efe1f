"""What the doctor says of each trap that no server is needed for, and that one bad check does not spoil the others."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
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
from doctor import diagnose, show
from elasticsearch_checks import blocked, disk, fits, same_version
from findings import Check, Finding, Level, Patient, clock, examine, fault, ok, warning
from hdfs_checks import redirect_target, room, takes_writes
from kafka_checks import fit, least_room, skewed, too_small
from kafka_cluster.message import MAX_RECORD_BYTES
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import wanted_topics
from machine_checks import beyond_loopback, led_elsewhere, memory, spill_room, weakness, x_keys
from processes import ServerProcess

GIB = 1 << 30
PATIENT = Patient(Settings(elasticsearch_password="a-password-of-its-own"), None)  # type: ignore[arg-type]
NOW = 1_795_713_684.0  # 2026-11-26T17:21:24Z


def of(**settings: Any) -> Patient:
    return replace(PATIENT, settings=replace(PATIENT.settings, **settings))


def said(findings: Iterator[Finding]) -> list[tuple[Level, str, str]]:
    """What was found besides good news."""
    return [(each.level, each.what, each.cure) for each in findings if each.level is not Level.OK]


def the_one(findings: Iterator[Finding]) -> tuple[Level, str, str]:
    (found,) = said(findings)
    return found


# how checks are run


def raising(_: Patient) -> Iterator[Finding]:
    yield warning("seen before")
    raise UserError("it does not answer: start it")


def test_a_check_that_fails_is_a_fault_what_follows_it_is_skipped_and_the_others_go_on() -> None:
    checks = [
        Check("a", raising, (Check("b", lambda _: [ok("never")]),)),
        Check("c", lambda _: [ok("good"), fault("bad")], (Check("d", lambda _: [ok("fine")]),)),
        Check("e", lambda _: [ok(str({}["key"]))]),
    ]
    found = dict(examine(checks, PATIENT))
    assert [each.what for each in found["a"]] == ["seen before", "it does not answer: start it"]
    assert found["b"] == [Finding(Level.SKIPPED, "not looked at: see a")]
    assert found["c"] == [fault("bad")] and found["d"] == [ok("fine")]
    assert found["e"] == [fault("KeyError: 'key'")]


def test_a_check_that_hangs_is_left_behind() -> None:
    started, release = time.monotonic(), threading.Event()

    def hang(_: Patient) -> list[Finding]:
        release.wait(30)
        return []

    checks = [Check("hangs", hang, (Check("then", hang),)), Check("other", lambda _: [ok("fine")])]
    found = examine(checks, PATIENT, seconds=0.2)
    release.set()
    assert time.monotonic() - started < 5
    late = "can't be told: no answer within 0 s"
    assert [(subject, each[0].what) for subject, each in found] == [
        ("hangs", late),
        ("then", late),
        ("other", "fine"),
    ]


def test_what_a_server_says_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([("brokers", [fault("\x1b[31mred\x1b[0m\r\nnext", "cure\x07")])], None)  # type: ignore[arg-type]
    shown = "\\x1b[31mred\\x1b[0m next -> cure\\x07"
    assert capsys.readouterr().out == f"fault    brokers        {shown}\n"


# settings, keys, this machine


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


# Kafka


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({(3, 9)}, []),
        ({(2, 7)}, ["Kafka 2.7 gives topics no ids"]),
        ({(3, 8), (3, 9)}, ["the brokers are of different versions, 3.8 and 3.9"]),
    ],
)
def test_versions_of_brokers(versions: set[tuple[int, ...]], found: list[str]) -> None:
    for (level, what, cure), expected in zip(said(fit(versions)), found, strict=True):
        assert level is Level.WARNING and what.startswith(expected) and cure


def test_a_topic_that_refuses_what_our_check_lets_through_is_a_fault_one_that_only_differs_is_not() -> None:
    for wanted in wanted_topics(Settings()):
        assert said(too_small(wanted, wanted, "broker:1")) == []
        small = replace(wanted, config={**wanted.config, "max.message.bytes": str(MAX_RECORD_BYTES)})
        level, what, cure = the_one(too_small(wanted, small, "broker:1"))
        assert level is Level.FAULT and "takes 1,000,000 bytes" in what
        assert f"-n {wanted.name} -c max.message.bytes={wanted.config['max.message.bytes']}" in cure
        larger = replace(wanted, config={**wanted.config, "max.message.bytes": "8388608"})
        assert the_one(too_small(wanted, larger, "broker:1"))[0] is Level.WARNING


def test_room_on_brokers_disks() -> None:
    folder = {"error_code": 0, "log_dir": "/data", "topics": [], "total_bytes": 270553174016}
    said_by_brokers = [
        {"broker": 2, "log_dirs": [folder | {"usable_bytes": 9 * GIB}, folder | {"usable_bytes": 5}]},
        {"broker": 3, "log_dirs": [folder | {"usable_bytes": -1}]},  # before Kafka 3.3
    ]
    assert least_room(said_by_brokers) == {2: 5}


@pytest.mark.parametrize(
    ("dated", "received_at", "why"),
    [
        (NOW, "2026-11-26T17:21:23.900Z", None),
        (NOW + 400, "2026-11-26T17:21:24.000Z", "400 s in the future"),
        (NOW - 90, "2026-11-26T17:21:24.000Z", "90 s before the producer received it"),
        (NOW + 400, None, "400 s in the future"),
        (NOW - 60, "2026-11-26T15:00:00.000Z", None),  # it waited in the spill file
        (NOW - 90_000, "2026-11-26T17:21:24.000Z", None),  # long ago: the clock may be right by now
        (NOW - 90, "no date", None),
    ],
)
def test_the_date_of_a_record_gives_a_wrong_clock_away(
    dated: float, received_at: str | None, why: str | None
) -> None:
    found = skewed(int(dated * 1000), received_at, NOW)
    assert found is None if why is None else why in (found or "")


# Elasticsearch and Kibana


def test_a_client_of_another_major_version_than_the_server() -> None:
    assert said(fits(["8.19.7"], "8.19.3")) == []
    level, what, cure = the_one(fits(["8.19.7"], "9.1.0"))
    assert level is Level.FAULT and "8.19.7, the Python client 9.1.0" in what
    assert cure.startswith("pip install 'elasticsearch>=8,<9'")
    assert "different versions, 8.18.0 and 8.19.7" in the_one(fits(["8.18.0", "8.19.7"], "8.19.3"))[1]


NODE = {  # of GET _nodes/stats/fs
    "timestamp": 1795713684376, "name": "vm",
    "fs": {"data": [{
        "path": "/data", "mount": "/ (/dev/vda)", "type": "ext4", "total_in_bytes": 270553174016,
        "free_in_bytes": 246612623360, "available_in_bytes": 73852743680,
        "low_watermark_free_space_in_bytes": 40582976102, "high_watermark_free_space_in_bytes": 27055317401,
        "flood_stage_free_space_in_bytes": 13527658700,
    }]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("free", "level"), [(73852743680, None), (27055317400, Level.WARNING), (13527658699, Level.FAULT)]
)
def test_elasticsearchs_disk_against_its_watermarks(free: int, level: Level | None) -> None:
    node: dict[str, Any] = {**NODE, "fs": {"data": [{**NODE["fs"]["data"][0], "available_in_bytes": free}]}}  # type: ignore[index]
    found = said(disk(node))
    assert [each[0] for each in found] == ([level] if level else [])


def test_an_index_that_takes_no_writes() -> None:
    def index(blocks: dict[str, str]) -> dict[str, Any]:
        return {"settings": {"index": {"blocks": blocks}}}

    answer = {
        "tweets-000001": index({"read_only_allow_delete": "true"}),
        "tweets-000002": index({"write": "true", "metadata": "true"}),
        "tweets-000003": index({"write": "false"}),
    }
    full, written = said(blocked(answer, "http://es:9200"))
    assert full[1].startswith("index tweets-000001 takes no writes") and full[2].startswith("make room")
    assert written[1].startswith("index tweets-000002 takes no writes (index.blocks.write)")
    assert written[2].startswith("curl -u elastic -X PUT http://es:9200/tweets-000002/_settings")


def test_kibana_of_another_version_than_elasticsearch() -> None:
    status = {
        "name": "kibana",
        "version": {"number": "8.19.7"},
        "status": {"overall": {"level": "available"}},
    }
    assert said(same_version(status, ["8.19.7"])) == []
    assert "Kibana is 8.19.7, Elasticsearch 8.18.0" in the_one(same_version(status, ["8.18.0"]))[1]
    starting = status | {"status": {"overall": {"level": "unavailable"}}}
    assert "Kibana is unavailable" in the_one(same_version(starting, ["8.19.7"]))[1]


# HDFS


def name_node(**changed: str) -> dict[str, str]:
    live = (
        '{"datanode1:9874":{"infoAddr":"172.18.0.7:9864","infoSecureAddr":"172.18.0.7:0","xferaddr":"172.18.0.7:9874",'
        '"lastContact":0,"adminState":"In Service","capacity":270553174016,"version":"3.4.3","remaining":73852743680}}'
    )
    return {"Safemode": "", "LiveNodes": live, "DeadNodes": "{}", "SoftwareVersion": "3.4.3"} | changed


@pytest.mark.parametrize(
    ("changed", "level", "what"),
    [
        ({"Safemode": "Safe mode is ON. The reported blocks 0 needs"}, Level.FAULT, "no writes: Safe mode is ON"),
        ({"LiveNodes": "{}"}, Level.FAULT, "no DataNode has joined"),
        ({"DeadNodes": '{"datanode2:9875":{"lastContact":93}}'}, Level.WARNING, "DataNode datanode2:9875 is dead"),
        ({"SoftwareVersion": "3.5.0"}, Level.WARNING, "NameNode is Hadoop 3.5.0, DataNodes are 3.4.3"),
    ],
)  # fmt: skip
def test_what_the_name_node_says_of_itself(changed: dict[str, str], level: Level, what: str) -> None:
    assert said(takes_writes(name_node())) == []
    found = the_one(takes_writes(name_node(**changed)))
    assert found[0] is level and what in found[1] and found[2]


def test_clients_are_sent_to_a_data_nodes_own_name_at_its_http_port() -> None:
    node = {"infoAddr": "172.18.0.7:9864", "infoSecureAddr": "172.18.0.7:9865"}
    assert redirect_target("datanode1:9874", node, "http") == "datanode1:9864"
    assert redirect_target("datanode1:9874", node, "https") == "datanode1:9865"


@pytest.mark.parametrize(
    ("left", "level"), [(2 * GIB, None), (900 << 20, Level.WARNING), (100 << 20, Level.FAULT)]
)
def test_a_data_nodes_disk(left: int, level: Level | None) -> None:
    assert [each[0] for each in said(room("datanode1:9874", left))] == ([level] if level else [])


@pytest.mark.parametrize(
    ("off", "words"), [(0, None), (4.9, None), (61, "61 s ahead of"), (-3600, "3,600 s behind")]
)
def test_a_clock_that_is_off(off: float, words: str | None) -> None:
    found = said(clock("the NameNode", NOW + off, NOW))
    assert [words in what for _, what, _ in found] == ([True] if words else [])  # type: ignore[operator]


# the script, in a checkout of its own, where no server runs


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    shutil.copytree(ROOT / "kafka-cluster", tmp_path / "kafka-cluster", symlinks=True)
    nowhere = {
        "bootstrap_servers": "127.0.0.1:1", "elasticsearch_url": "http://127.0.0.1:1", "webhdfs_url": "http://127.0.0.1:1",
    }  # fmt: skip

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "kafka-cluster" / "cluster.py"), "doctor", *args]
        env = {key: os.environ[key] for key in ("PATH", "HOME", "never_contact_x")} | nowhere
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=False)

    return run


def write_env(folder: Path, text: str, mode: int = 0o600) -> None:
    (folder / ".env").write_text(text)
    (folder / ".env").chmod(mode)


def test_a_cluster_that_is_down_is_one_line_and_the_rest_is_looked_at(
    tmp_path: Path, doctor: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write_env(tmp_path, "elasticsearch_password = changeme\napi_key = only-one\n", 0o644)
    done = doctor()
    assert done.returncode == 1 and not done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.split()[1] == "servers"] == [
        "warning  servers        none runs, and nothing answers where .env says: they were not looked at "
        "-> python3 kafka-cluster/cluster.py up"
    ]
    assert not [line for line in lines if line.split()[1] in ("brokers", "HDFS", "Elasticsearch")]
    for text in ("chmod 600 .env", "weak: 8 characters", "with api_key alone nothing can be read"):
        assert text in done.stdout
    assert "changeme" not in done.stdout and "only-one" not in done.stdout


def test_two_env_files_that_differ_are_the_one_finding(
    tmp_path: Path, doctor: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write_env(tmp_path, "elasticsearch_password = one\n")
    beside = tmp_path / "kafka-cluster" / ".env"
    beside.unlink()
    beside.write_text("elasticsearch_password = two\n")
    done = doctor()
    assert done.returncode == 1 and not done.stderr, done.stderr
    first, last = done.stdout.splitlines()
    assert (
        first.startswith("fault    settings")
        and "scripts read the first, compose the other: put what you" in first
    )
    assert last.endswith(": 1 fault") and last.startswith("1 check in")


def test_settings_that_can_not_be_used_are_the_one_finding() -> None:
    placeholder = {"elasticsearch_password": "x", "bind_address": "[localhost ip addr]"}
    ((subject, found),) = diagnose(lambda: ComposeCluster(placeholder))
    assert subject == "settings" and found[0].level is Level.FAULT
    assert "bind_address in .env is still the example's" in found[0].what
