"""Services -> what a process needs: config files, JVM flags, folders, ports. Pure.

Each image has its own rules for turning environment variables into config files; the same rules are applied here,
so that the compose file is the only place where a server is configured.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from compose_file import Service

LOOPBACK = "127.0.0.1"
LOG4J = """log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""
# The image's fixed list, as far as the compose file uses it.
ZOOKEEPER_KEYS = {
    "ZOOKEEPER_CLIENT_PORT": "clientPort",
    "ZOOKEEPER_TICK_TIME": "tickTime",
    "ZOOKEEPER_ADMIN_ENABLE_SERVER": "admin.enableServer",
}
NOT_PROPERTIES = {"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_PORT"}
# Where the images keep their data unless told otherwise.
KAFKA_DATA, ZOOKEEPER_DATA, ZOOKEEPER_LOG = (
    "/var/lib/kafka/data", "/var/lib/zookeeper/data", "/var/lib/zookeeper/log",
)  # fmt: skip


@dataclass(frozen=True)
class ServerConfig:
    """One server as a process. Paths in `files` and `folders` are below the server's own folder."""

    name: str
    ports: tuple[int, ...]
    files: Mapping[str, str]
    folders: tuple[str, ...]
    jvm: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    password: str = field(default="", repr=False)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of Elasticsearch: the password of each user of its file realm, whose role has the same name."""


def server_config(
    service: Service, names: list[str], port_keys: list[str], offset: int, home: str
) -> ServerConfig:
    """The process form of a service: loopback for every name, ports shifted, container paths below `home`."""
    folders = {path: f"{home}/{volume}" for path, volume in service.volumes.items()}

    def here(key: str, value: str) -> str:
        if key in port_keys:
            return str(int(value) + offset)
        # a password is left alone, whatever it looks like
        return value if key.endswith("PASSWORD") else _local(value, names, offset, folders)

    environment = {key: here(key, value) for key, value in service.environment.items()}
    ports = tuple(port + offset for port in service.ports)
    if service.name == "zookeeper":
        return _zookeeper(service, environment, ports, folders)
    if "cp-kafka" in service.image:
        return _kafka(service, environment, ports, folders)
    if "elasticsearch" in service.image:
        return _elasticsearch(service, environment, ports, home)
    return _hadoop(service, environment, ports, folders)


def _local(value: str, names: list[str], offset: int, folders: Mapping[str, str]) -> str:
    """Service names and 0.0.0.0 become 127.0.0.1, ports behind them are shifted, container paths replaced."""
    value = re.sub(rf"(?<![\w.-])(?:{'|'.join(names)}|0\.0\.0\.0)(?=:\d|$)", LOOPBACK, value)
    value = re.sub(r"(?<=[\w.\]]:)(\d{2,5})(?=$|[,/])", lambda match: str(int(match[1]) + offset), value)
    for path, folder in folders.items():
        if value == path or value.startswith(f"{path}/"):
            return folder + value[len(path) :]
    return value


def _zookeeper(
    service: Service, environment: Mapping[str, str], ports: tuple[int, ...], folders: Mapping[str, str]
) -> ServerConfig:
    properties = {
        "clientPortAddress": LOOPBACK,
        "dataDir": folders[ZOOKEEPER_DATA],
        "dataLogDir": folders[ZOOKEEPER_LOG],
        **{ZOOKEEPER_KEYS[key]: value for key, value in environment.items() if key in ZOOKEEPER_KEYS},
    }
    return ServerConfig(
        service.name, ports, {"zoo.cfg": _properties(properties), "log4j.properties": LOG4J},
        tuple(folders.values()), tuple(shlex.split(environment["KAFKA_HEAP_OPTS"])), ("zoo.cfg",),
    )  # fmt: skip


def _kafka(
    service: Service, environment: Mapping[str, str], ports: tuple[int, ...], folders: Mapping[str, str]
) -> ServerConfig:
    properties = {"log.dirs": folders[KAFKA_DATA]}
    for key, value in environment.items():
        if key.startswith("KAFKA_") and key not in NOT_PROPERTIES:
            properties[_property_name(key.removeprefix("KAFKA_"))] = value
    ports = tuple(sorted({*ports, *map(int, re.findall(r":(\d+)", environment["KAFKA_LISTENERS"]))}))
    return ServerConfig(
        service.name, ports, {"server.properties": _properties(properties), "log4j.properties": LOG4J},
        tuple(folders.values()), tuple(shlex.split(environment["KAFKA_HEAP_OPTS"])), ("server.properties",),
    )  # fmt: skip


def _elasticsearch(
    service: Service, environment: Mapping[str, str], ports: tuple[int, ...], home: str
) -> ServerConfig:
    settings = {key: value for key, value in environment.items() if "." in key}
    settings |= {"network.host": LOOPBACK, "path.data": f"{home}/data", "path.logs": f"{home}/logs"}
    return ServerConfig(
        service.name, (*ports, int(settings["transport.port"])),
        {"config/elasticsearch.yml": "".join(f"{key}: {value}\n" for key, value in settings.items()),
         "config/roles.yml": environment["ROLES_YML"]},
        (f"{home}/data", f"{home}/logs"), environment={"ES_JAVA_OPTS": environment["ES_JAVA_OPTS"]},
        password=service.environment["ELASTIC_PASSWORD"],
        users={match[1].lower(): value for key, value in service.environment.items()
               if (match := re.fullmatch("(TWEETS_\\w+)_PASSWORD", key)) and value},
    )  # fmt: skip


def _hadoop(
    service: Service, environment: Mapping[str, str], ports: tuple[int, ...], folders: Mapping[str, str]
) -> ServerConfig:
    files = {"log4j.properties": LOG4J}
    for file in ("core-site.xml", "hdfs-site.xml"):
        prefix = file.upper().replace("XML", "XML_")
        properties = {
            key.removeprefix(prefix): value for key, value in environment.items() if key.startswith(prefix)
        }
        if file == "hdfs-site.xml":
            properties.setdefault("dfs.namenode.rpc-bind-host", LOOPBACK)
        files[file] = _xml(properties)
    flags = [value for key, value in environment.items() if key.endswith("NODE_OPTS")]
    inner = re.compile(r"HDFS-SITE\.XML_dfs\.datanode\.(ipc\.)?address")
    if service.name == "namenode":
        inner = re.compile(r"CORE-SITE\.XML_fs\.defaultFS")
    more = tuple(int(value.rpartition(":")[2]) for key, value in environment.items() if inner.fullmatch(key))
    return ServerConfig(
        service.name, ports + more, files, tuple(folders.values()), tuple(shlex.split(" ".join(flags)))
    )


def _property_name(name: str) -> str:
    """`A_B__C___D` -> `a.b_c-d`, as in the Kafka images."""
    return re.sub("_+", lambda run: {1: ".", 2: "_", 3: "-"}[len(run[0])], name.lower())


def _properties(properties: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _xml(properties: Mapping[str, str]) -> str:
    entries = "".join(
        f"  <property><name>{escape(key)}</name><value>{escape(value)}</value></property>\n"
        for key, value in properties.items()
    )
    return f"<configuration>\n{entries}</configuration>\n"
