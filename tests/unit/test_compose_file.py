"""docker-compose.yml is valid for the oldest client we name, and keeps to the rules that both ways rely on."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from compose_file import COMPOSE_FILE, interpolate, load_services
from kafka_cluster.script import UserError
from native_cluster import NATIVE

COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OLDEST_CLIENT = "docker-compose==1.29.2"


def test_the_file_is_valid_for_the_oldest_client(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    cached = pytestconfig.cache.mkdir("compose") if pytestconfig.cache else tmp_path
    if not list(cached.glob("*.whl")):
        download = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            OLDEST_CLIENT,
            "-d",
            str(cached),
        ]
        subprocess.run(download, check=True)
    with zipfile.ZipFile(next(cached.glob("*.whl"))) as wheel:
        schema = json.loads(wheel.read("compose/config/compose_spec.json"))
    jsonschema.validate(COMPOSE, schema)


def test_every_server_of_the_project_is_there_with_an_exact_tag() -> None:
    wanted = {"zookeeper", "kafka1", "kafka2", "kafka3", "elasticsearch", "kibana", "namenode"}
    assert wanted | {"datanode1", "datanode2", "datanode3"} <= set(SERVICES)
    for service in SERVICES.values():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", service["image"])


def test_ports_are_unique_published_as_they_are_and_bound_to_loopback_unless_told() -> None:
    seen: set[str] = set()
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            address, outside, inside = re.fullmatch(r"(.+):(\d+):(\d+)", port).groups()  # type: ignore[union-attr]
            kafka = name.startswith("kafka")
            assert address == (
                "${bootstrap_servers_ip:-127.0.0.1}" if kafka else "${bind_address:-127.0.0.1}"
            )
            assert outside == inside and outside not in seen
            seen.add(outside)


def test_memory_is_bounded_for_every_service_and_6_gb_in_sum_and_every_jvm_has_a_heap() -> None:
    sizes = {name: service["mem_limit"] for name, service in SERVICES.items()}
    megabytes = sum(int(size[:-1]) * (1024 if size[-1] == "g" else 1) for size in sizes.values())
    assert megabytes == 6 * 1024
    for name in NATIVE["services"]:
        assert any("-Xmx" in str(value) for value in SERVICES[name]["environment"].values()), name


def test_services_wait_for_health_and_restart() -> None:
    for name, service in SERVICES.items():
        if name == "kibana-setup":
            continue
        assert "healthcheck" in service and service["restart"] == "unless-stopped", name
        for condition in (service.get("depends_on") or {}).values():
            assert condition["condition"] in ("service_healthy", "service_completed_successfully")


def test_versions_are_the_same_natively() -> None:
    software = NATIVE["software"]
    assert (
        software["elasticsearch"]["zip"].rpartition(":")[2]
        == SERVICES["elasticsearch"]["image"].rpartition(":")[2]
    )
    assert (
        SERVICES["kibana"]["image"].rpartition(":")[2]
        == SERVICES["elasticsearch"]["image"].rpartition(":")[2]
    )
    hadoop = SERVICES["namenode"]["image"].rpartition(":")[2]
    assert f"hadoop-hdfs:{hadoop}" in software["hadoop"]["jars"]
    assert "kafka_2.13:3.9.1" in software["kafka"]["jars"] and ":7.9." in SERVICES["kafka1"]["image"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${a}", "1"),
        ("${b}", ""),
        ("${b:-x}", "x"),
        ("${a:-x}", "1"),
        ("$$a ${a}:${a}", "$a 1:1"),
        ("plain", "plain"),
    ],
)
def test_interpolation_is_compose_s(text: str, result: str) -> None:
    assert interpolate(text, {"a": "1"}) == result


def test_a_variable_that_must_be_set_is_asked_for_by_name() -> None:
    with pytest.raises(UserError, match="elasticsearch_password is not set: put a password"):
        load_services({})
