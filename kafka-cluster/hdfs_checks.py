"""The doctor's checks of HDFS, by what NameNode and DataNodes say of themselves. Nothing is written."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import requests

from findings import Check, Finding, Patient, clock, fault, ok, warning
from http_answers import ask, body_of, date_of
from kafka_cluster.hdfs_hosts import HdfsHosts
from kafka_cluster.reachable import no_answer, require_hdfs
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

BLOCK_BYTES = 128 << 20  # dfs.blocksize, by default: a DataNode with less takes no block
LITTLE_ROOM = 8 * BLOCK_BYTES
STATUS = "python3 kafka-cluster/cluster.py status"
STATE = "/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus"
JMX = "/jmx?qry=Hadoop:service={0},name={0}Info"

Json = dict[str, Any]


def hdfs(patient: Patient) -> Iterator[Finding]:
    """Whether the NameNode answers, takes writes, and has the DataNodes' version and this machine's time."""
    answer, bean = _name_node(patient.settings)
    yield from clock("the NameNode", date_of(answer), time.time())
    yield from takes_writes(bean)


def takes_writes(bean: Json) -> Iterator[Finding]:
    """Safe mode, DataNodes and versions, of the bean NameNodeInfo."""
    if bean["Safemode"]:
        yield fault(
            f"HDFS is in safe mode and takes no writes: {str(bean['Safemode']).partition('.')[0]}",
            "it ends by itself when the DataNodes have reported; one that somebody turned on ends with  "
            "hdfs dfsadmin -safemode leave",
        )
    live, dead, ours = live_nodes(bean), json.loads(bean["DeadNodes"]), bean["SoftwareVersion"]
    if not live:
        yield fault("no DataNode has joined: nothing can be written", STATUS)
    for name in dead:
        yield warning(f"DataNode {name} is dead to the NameNode", f"{STATUS}; then  ... start NAME")
    others = {node["version"] for node in live.values()} - {ours}
    if others:
        yield warning(
            f"the NameNode is Hadoop {ours}, DataNodes are {' and '.join(sorted(others))}",
            "give all the same image",
        )
    yield ok(f"Hadoop {ours}, with {len(live)} DataNodes, takes writes")


def data_nodes(patient: Patient) -> Iterator[Finding]:
    """Whether each DataNode is reached where the NameNode sends clients on to, and has room."""
    live = live_nodes(_name_node(patient.settings)[1])
    with ThreadPoolExecutor(len(live) or 1) as askers:
        for said in askers.map(lambda item: list(_data_node(patient.settings, *item)), live.items()):
            yield from said
    room = min((node["remaining"] for node in live.values()), default=0)
    yield ok(
        f"all {len(live)} are reached where the NameNode sends clients on to; {room / 2**30:.1f} GB left on each"
    )


def stranger(settings: Settings, host: str) -> Iterator[Finding]:
    """A DataNode to which the scripts refuse to be sent on."""
    if host not in HdfsHosts(settings):
        yield fault(
            f"the NameNode sends clients on to {host}, where the scripts send nothing",
            "if that is your DataNode, add to .env:  webhdfs_datanodes="
            + ",".join([*settings.webhdfs_datanodes, host]),
        )


def _data_node(settings: Settings, name: str, node: Json) -> Iterator[Finding]:
    yield from room(name, node["remaining"])
    scheme = urlsplit(settings.webhdfs_url).scheme
    target = redirect_target(name, node, scheme)
    try:
        answer = ask(f"{scheme}://{target}{JMX.format('DataNode')}", settings.webhdfs_ca_file)
    except UserError as error:
        yield fault(
            f"the NameNode sends clients on to {target}, which this machine can't use ({error})",
            f"is that DataNode up ({STATUS}), and is its dfs.datanode.hostname a name or address that this machine "
            "reaches (bind_address in .env)?",
        )
        return
    yield from stranger(settings, urlsplit(f"//{target}").hostname or "")
    yield from clock(f"DataNode {name}", date_of(answer), time.time())


def redirect_target(name: str, node: Json, scheme: str) -> str:
    """Where WebHDFS redirects to, of an entry of LiveNodes: the DataNode's own host name, and its HTTP port."""
    port = node["infoSecureAddr" if scheme == "https" else "infoAddr"].rpartition(":")[2]
    return f"{name.rpartition(':')[0]}:{port}"


def room(name: str, remaining: int) -> Iterator[Finding]:
    """A DataNode's disk."""
    if remaining < LITTLE_ROOM:
        say = fault if remaining < BLOCK_BYTES else warning
        what = f"DataNode {name} has {remaining >> 20:,} MB left, and takes no block with less than {BLOCK_BYTES >> 20}"
        yield say(what, "make room on its disk, or add a DataNode")


def live_nodes(bean: Json) -> Json:
    """Host name and port -> what the NameNode knows of that DataNode."""
    return json.loads(bean["LiveNodes"])


def _name_node(settings: Settings) -> tuple[requests.Response, Json]:
    """The answer of the active NameNode, and its bean; where none is active, those of one that answers."""
    require_hdfs(settings)
    reasons, standby = [], None
    for url in settings.webhdfs_url.split(","):
        try:
            answer = ask(url + JMX.format("NameNode"), settings.webhdfs_ca_file)
            status = ask(url + STATE, settings.webhdfs_ca_file)
        except UserError as error:
            reasons.append(f"{url}: {error}")
            continue
        beans, states = (body_of(each, "HDFS").get("beans") for each in (answer, status))
        if not beans or not states:
            raise UserError(
                f"what answers at {url} is no NameNode: webhdfs_url wants its HTTP port, here 9870"
            )
        if states[0]["State"] == "active":
            return answer, beans[0]
        standby = answer, beans[0]
    if standby:
        return standby
    raise no_answer(settings.webhdfs_url, "HDFS (its NameNode)", "webhdfs_url", "; ".join(reasons))


HDFS = Check("HDFS", hdfs, (Check("DataNodes", data_nodes),))
