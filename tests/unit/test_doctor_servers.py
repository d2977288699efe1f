"""What the doctor says of what Kafka, Elasticsearch and HDFS say of themselves."""

from dataclasses import replace
from typing import Any

import pytest
import requests

import elasticsearch_checks
from diagnosis import GIB, NOW, said, the_one
from elasticsearch_checks import NODES, blocked, disk, fits, same_version
from findings import Level, clock
from hdfs_checks import redirect_target, room, stranger, takes_writes
from kafka_checks import fit, least_room, skewed, too_small
from kafka_cluster.elasticsearch_options import HttpLogin
from kafka_cluster.message import MAX_RECORD_BYTES
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import wanted_topics

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


def test_a_machine_with_the_writers_password_alone_asks_as_the_writer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def ask(_url: str, _ca_file: str, auth: HttpLogin) -> requests.Response:
        asked.append(auth(requests.Request("GET", "http://es").prepare()).headers["Authorization"])
        answer = requests.Response()
        answer.status_code, answer._content = 200, b"{}"
        return answer

    monkeypatch.setattr(elasticsearch_checks, "ask", ask)
    monkeypatch.setattr(elasticsearch_checks, "require_elasticsearch", lambda _: None)
    for settings in (Settings(elasticsearch_writer_password="w"), Settings(elasticsearch_password="e")):
        elasticsearch_checks._get(settings, NODES)
    assert asked == ["Basic dHdlZXRzX3dyaXRlcjp3", "Basic ZWxhc3RpYzpl"]
    with pytest.raises(UserError, match="elasticsearch_password is not set"):
        elasticsearch_checks._get(Settings(), NODES)


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
    ("named", "refused"),
    [((), True), (("datanode1",), False), ((".hdfs.example",), True), (("other",), True)],
)
def test_a_data_node_that_the_scripts_refuse_to_be_sent_on_to(named: tuple[str, ...], refused: bool) -> None:
    settings = Settings(webhdfs_url="http://namenode:9870", webhdfs_datanodes=named)
    found = said(stranger(settings, "datanode1"))
    assert [(level, cure.rpartition("  ")[2]) for level, _, cure in found] == (
        [(Level.FAULT, "webhdfs_datanodes=" + ",".join([*named, "datanode1"]))] if refused else []
    )


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
