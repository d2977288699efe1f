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

from clusters import PASSWORDS
from compose_cluster import HOST_NAME_FILE
from compose_file import COMPOSE_FILE, interpolate, load_services
from kafka_cluster.script import UserError
from kafka_cluster.settings import ELASTICSEARCH_USERS
from native_cluster import NativeCluster
from native_launch import NATIVE

COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OLDEST_CLIENT = "docker-compose==1.29.2"
ONE_SHOT = "kibana-setup"


def megabytes(size: str) -> int:
    return int(size[:-1]) * (1024 if size[-1] == "g" else 1)


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
    assert sum(map(megabytes, sizes.values())) == 6 * 1024
    for name in NATIVE["services"]:
        assert any("-Xmx" in str(value) for value in SERVICES[name]["environment"].values()), name


def test_services_wait_for_health_and_restart() -> None:
    for name, service in SERVICES.items():
        for condition in (service.get("depends_on") or {}).values():
            assert condition["condition"] == "service_healthy", name
        if name != ONE_SHOT:
            assert "healthcheck" in service and service["restart"] == "unless-stopped", name
            assert service["logging"]["options"]["max-size"], name
    assert "restart" not in SERVICES[ONE_SHOT]


def test_health_checks_use_what_the_images_have_and_never_a_name_that_may_be_ipv6() -> None:
    for name, service in SERVICES.items():
        if name == ONE_SHOT:
            continue
        kind, check = service["healthcheck"]["test"]
        tool = "nc" if "/cp-" in service["image"] else "curl"  # hadoop: wget and nc are not certain
        assert kind == "CMD-SHELL" and re.search(rf"\b{tool} ", check), name
        assert "localhost" not in check and "127.0.0.1" in check, name
        assert not re.search(r"\b(wget|jps|jq)\b", check), name


def test_containers_gain_no_privileges_where_the_image_allows() -> None:
    for name, service in SERVICES.items():
        locked = service.get("cap_drop") == ["ALL"] and service.get("security_opt") == [
            "no-new-privileges:true"
        ]
        assert locked == ("hadoop" not in service["image"]), name  # whose entry point calls sudo


def test_no_jvm_gets_a_flag_that_its_java_may_not_know() -> None:
    """Java 11 in Hadoop's image, 17 or newer in the others: heap sizes are known to all."""
    flags = [
        (name, flag)
        for name, service in SERVICES.items()
        for key, value in service.get("environment", {}).items()
        if key.endswith("_OPTS") or key == "ES_JAVA_OPTS"
        for flag in str(value).split()
    ]
    assert len(flags) >= len(NATIVE["services"])
    for name, flag in flags:
        assert re.fullmatch(r"-Xm[sx]\d+m", flag), f"{name}: {flag}"


def test_heaps_leave_room_below_the_limit() -> None:
    for name in NATIVE["services"]:
        service = SERVICES[name]
        heap = int(re.search(r"-Xmx(\d+)m", " ".join(map(str, service["environment"].values()))).group(1))  # type: ignore[union-attr]
        assert heap + 100 <= megabytes(service["mem_limit"]), name


def test_hadoop_s_start_script_gets_plain_words_and_a_folder_to_format_below_its_volume() -> None:
    for name, service in SERVICES.items():
        if "hadoop" in service["image"]:
            assert not re.search(r"[&;|\s]", "".join(service["command"])), name
            assert [volume.partition(":")[2] for volume in service["volumes"]] == ["/data"], name
    namenode = SERVICES["namenode"]["environment"]
    assert namenode["ENSURE_NAMENODE_DIR"] == namenode["HDFS-SITE.XML_dfs.namenode.name.dir"] == "/data/name"


def test_a_datanode_is_published_where_webhdfs_sends_clients() -> None:
    for name in ("datanode1", "datanode2", "datanode3"):
        environment, (port,) = SERVICES[name]["environment"], SERVICES[name]["ports"]
        assert (
            environment["HDFS-SITE.XML_dfs.datanode.hostname"] == port.rpartition(":")[0].rpartition(":")[0]
        )
        inner = environment["HDFS-SITE.XML_dfs.datanode.http.address"].rpartition(":")[2]
        assert inner == port.rpartition(":")[2]


def test_volumes_are_named_and_where_the_images_can_write() -> None:
    writable = {"/var/lib/zookeeper/data", "/var/lib/zookeeper/log", "/var/lib/kafka/data", "/data"}
    writable |= {"/usr/share/elasticsearch/data"}
    used = []
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target, *mode = volume.split(":")
            if mode:
                assert (name, source, mode) == (ONE_SHOT, "../kibana-dashboards", ["ro,z"])
            else:
                assert target in writable and source in COMPOSE["volumes"], name
                used.append(source)
    assert sorted(used) == sorted(COMPOSE["volumes"]), "each has one owner"


def test_no_password_is_on_a_command_line() -> None:
    for name, service in SERVICES.items():
        said = "\n".join([*service.get("command", ()), *service.get("entrypoint", ())])
        assert "${" not in said.replace("$${", ""), name  # compose fills nothing in
        for line in said.splitlines():
            if "PASSWORD" in line or "$$password" in line:
                assert re.search(r"printf|password=|\[\[", line), (
                    f"{name}: only builtins of the shell see it: {line}"
                )


def test_every_user_of_the_scripts_has_a_role_for_the_names_that_are_set() -> None:
    names = {"elasticsearch_alias": "posts", "events_index": "health"}
    native = NativeCluster(dict.fromkeys(PASSWORDS, "canary") | names, 700).configs["elasticsearch"]
    roles = yaml.safe_load(native.files["config/roles.yml"])
    assert set(roles) == set(native.users) == set(ELASTICSEARCH_USERS)
    started = SERVICES["elasticsearch"]["command"][-1]
    assert all(f" {user}" in started for user in ELASTICSEARCH_USERS), "containers get them too"
    covered = {name for role in roles.values() for each in role["indices"] for name in each["names"]}
    assert covered == {"posts", "posts-*", "health-*"}
    alone = NativeCluster({"elasticsearch_password": "canary"}, 700).configs["elasticsearch"]
    assert not alone.users, "no password, no user"


def test_a_host_name_is_advertised_and_changes_nothing_else() -> None:
    overlay = yaml.safe_load(HOST_NAME_FILE.read_text(encoding="utf-8"))["services"]
    assert set(overlay) == {"kafka1", "kafka2", "kafka3"}
    for name, service in overlay.items():
        assert set(service) == {"environment"} and set(service["environment"]) == {
            "KAFKA_ADVERTISED_LISTENERS"
        }
        before = SERVICES[name]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        variables = {"bootstrap_servers_ip": "brokers.example", "bootstrap_servers_name": "brokers.example"}
        after = service["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert interpolate(before, variables) == interpolate(after, variables)


def test_the_native_servers_get_every_setting_of_the_file() -> None:
    """What the file says of a server is in the files that the native launcher writes, but for names and ports."""
    native = NativeCluster({"elasticsearch_password": "canary"}, 700)
    prefixes = r"KAFKA_|ZOOKEEPER_|CORE-SITE\.XML_|HDFS-SITE\.XML_"
    for name, config in native.configs.items():
        written = "".join(config.files.values()).lower().replace(".", "").replace("_", "").replace("-", "")
        for key in SERVICES[name]["environment"]:
            if key.endswith(("_OPTS", "PASSWORD", "_YML")) or key.startswith("ENSURE_"):
                continue  # JVM flags, the keystore, whole files, and what only the image's start script does
            short = (
                re.sub(f"^({prefixes})", "", key).lower().replace(".", "").replace("_", "").replace("-", "")
            )
            assert short in written, f"{name}: {key}"


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
    with pytest.raises(UserError, match="elasticsearch_password is not set: put one into"):
        load_services({})
