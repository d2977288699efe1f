"""The doctor's checks of Elasticsearch and Kibana. Nothing is written."""

import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from findings import Check, Finding, Patient, clock, fault, ok, warning
from http_answers import ask, body_of
from kafka_cluster.elasticsearch_options import (
    HttpLogin,
    has_login,
    kibana_login,
    login_cure,
    login_name,
    require_login,
)
from kafka_cluster.reachable import no_answer, require_elasticsearch
from kafka_cluster.script import UserError
from kafka_cluster.settings import ELASTICSEARCH_USERS, Settings

NODES = "/_nodes?filter_path=nodes.*.version"
STATS = "/_nodes/stats/fs?filter_path=nodes.*.timestamp,nodes.*.name,nodes.*.fs.data"
WATERMARK = "make room, or set cluster.routing.allocation.disk.watermark"


def elasticsearch(patient: Patient) -> Iterator[Finding]:
    """Whether it answers to our user, and to our client's version."""
    yield from fits(_versions(patient.settings), version("elasticsearch"))


def fits(servers: list[str], client: str) -> Iterator[Finding]:
    """Whether the nodes' versions and the client's go together."""
    shown = " and ".join(servers)
    if {_major(server) for server in servers} != {_major(client)}:
        yield fault(
            f"Elasticsearch is {shown}, the Python client {client}: their major versions must be the same",
            f"pip install 'elasticsearch>={_major(servers[0])},<{_major(servers[0]) + 1}', or change the server",
        )
    elif len(servers) > 1:
        yield warning(f"the nodes are of different versions, {shown}", "bring all to the newest")
    yield ok(f"version {shown}, with the Python client {client}")


def indices(patient: Patient) -> Iterator[Finding]:
    """Whether the indices take writes, the disk has room for more, and the clock is right."""
    settings = patient.settings
    nodes = _get(settings, STATS)["nodes"].values()
    now = time.time()
    ours = f"{settings.elasticsearch_alias}-*,{settings.events_index}-*"
    blocks = _get(settings, f"/{ours}/_settings?filter_path=*.settings.index.blocks")
    yield from blocked(blocks, settings.elasticsearch_url)
    for node in nodes:
        yield from disk(node)
        yield from clock(f"Elasticsearch's node {node['name']}", node["timestamp"] / 1000, now)
    room = min(data["available_in_bytes"] for node in nodes for data in node["fs"]["data"])
    yield ok(f"all take writes; {room / 2**30:.1f} GB of disk left")


def blocked(answer: dict[str, Any], url: str) -> Iterator[Finding]:
    """Indices that take no writes, of GET <indices>/_settings."""
    for name, body in answer.items():
        for block, value in body["settings"]["index"]["blocks"].items():
            if str(value).lower() != "true" or block not in ("read_only_allow_delete", "read_only", "write"):
                continue
            cure = (
                f"curl -u elastic -X PUT {url}/{name}/_settings -H 'Content-Type: application/json' "
                f"""-d '{{"index.blocks.{block}": null}}'"""
            )
            if block == "read_only_allow_delete":
                cure = f"make room on its disk: then it takes the block away by itself; one that somebody set: {cure}"
            yield fault(f"index {name} takes no writes (index.blocks.{block})", cure)


def disk(node: dict[str, Any]) -> Iterator[Finding]:
    """A node's disks against its own watermarks, of GET _nodes/stats/fs."""
    for data in node["fs"]["data"]:
        free, flood, high = (
            data.get(name, 0)
            for name in (
                "available_in_bytes",
                "flood_stage_free_space_in_bytes",
                "high_watermark_free_space_in_bytes",
            )
        )
        left = f"Elasticsearch's node {node['name']} has {free / 2**30:.1f} GB of disk left"
        if free < flood:
            yield fault(f"{left}; below {flood / 2**30:.1f} GB its indices take no writes", WATERMARK)
        elif free < high:
            yield warning(
                f"{left}; below {high / 2**30:,.1f} GB it makes no new index, below {flood / 2**30:.1f} GB its indices "
                "take no writes", WATERMARK,
            )  # fmt: skip


def kibana(patient: Patient) -> Iterator[Finding]:
    """Whether Kibana, where there is one, is of Elasticsearch's version."""
    settings = patient.settings
    try:
        answer = ask(
            f"{settings.kibana_url}/api/status",
            settings.elasticsearch_ca_file,
            auth=kibana_login(settings, _user(settings)),
        )
    except UserError as error:
        if "kibana_url" in patient.cluster.environment():
            raise no_answer(settings.kibana_url, "Kibana", "kibana_url", str(error)) from None
        yield ok("there is none; preview.py draws the dashboards")
        return
    yield from same_version(body_of(answer, "Kibana"), _versions(settings))


def same_version(status: dict[str, Any], servers: list[str]) -> Iterator[Finding]:
    """Kibana's GET /api/status against Elasticsearch's versions."""
    level = status.get("status", {}).get("overall", {}).get("level", "without a status")
    number = status.get("version", {}).get("number")
    if number and [number] != servers:
        yield fault(
            f"Kibana is {number}, Elasticsearch {' and '.join(servers)}: they must be the same",
            "give both images one version in docker-compose.yml",
        )
    if level != "available":
        yield fault(f"Kibana is {level}", "python3 kafka-cluster/cluster.py logs kibana")
    yield ok(f"Kibana {number or ''} is available")


def _versions(settings: Settings) -> list[str]:
    return sorted({node["version"] for node in _get(settings, NODES)["nodes"].values()})


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _user(settings: Settings) -> str | None:
    """Who asks: a machine that only runs producers and consumers has the writer's password alone."""
    users = (user for user in (None, *ELASTICSEARCH_USERS) if has_login(settings, user))
    return next(users, None)


def _get(settings: Settings, path: str) -> dict[str, Any]:
    user = _user(settings)
    require_login(settings, user)
    require_elasticsearch(settings)
    login = HttpLogin(settings, user)
    try:
        answer = ask(settings.elasticsearch_url + path, settings.elasticsearch_ca_file, auth=login)
    except UserError as error:
        url = settings.elasticsearch_url
        raise no_answer(url, "Elasticsearch", "elasticsearch_url", str(error)) from None
    if answer.status_code == 401:
        raise UserError(
            f"Elasticsearch refuses {login_name(settings, user)}: {login_cure(settings)}; if its data was made with "
            "another password, put that back (cluster.py down --volumes would delete all data, Kafka's and HDFS's too)"
        )
    if answer.status_code == 403:
        raise UserError(
            f"{login_name(settings, user)} may not look at Elasticsearch's state: give it the privilege monitor"
        )
    return body_of(answer, "Elasticsearch")


ELASTICSEARCH = Check("Elasticsearch", elasticsearch, (Check("indices", indices), Check("Kibana", kibana)))
