"""Who does the job: our groups, and what people would use instead, each set up as its documentation says."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import bench_install as install
from kafka_cluster.script import ROOT

SCRIPTS = Path(__file__).parent / "peers"
ELASTICSEARCH, HDFS = "elasticsearch", "hdfs"
Env = Mapping[str, str]
JAVA = ("-XX:+UseSerialGC", "-Xmx512m", "-Djava.net.preferIPv4Stack=true")


@dataclass(frozen=True)
class Client:
    """One way to do the job. `command` installs what it needs, and may raise NotInstalled.

    `id_field`: where a document has the tweet's id. `most`: of more records than this it would be at work too long.
    """

    name: str
    sink: str
    command: Callable[[Env, Path], tuple[list[str], dict[str, str]]]
    id_field: str = "data.id"
    most: int | None = None
    ours: bool = False


def _group(env: Env, _: Path) -> tuple[list[str], dict[str, str]]:
    script = str(ROOT / "kafka-consumer" / "consumer.py")
    return [sys.executable, script, "--group", env["sink"], *env.get("arguments", "").split()], {}


def _script(name: str, *arguments: str, venv: str | None = None) -> Callable:
    def command(env: Env, _: Path) -> tuple[list[str], dict[str, str]]:
        python = str(install.python_of(venv)) if venv else sys.executable
        return [python, str(SCRIPTS / name), *arguments], {}

    return command


def _spark(env: Env, folder: Path) -> tuple[list[str], dict[str, str]]:
    command, _ = _script("spark_hdfs.py", venv="spark")(env, folder)
    return command, {
        "JAVA_HOME": str(install.spark_java_home()), "HADOOP_USER_NAME": env["hdfs_user"],
        "SPARK_LOCAL_IP": "127.0.0.1",
        "spark_jars": install.jars(install.SPARK_JARS).replace(os.pathsep, ","),
        "PYSPARK_PYTHON": command[0], "SPARK_LOCAL_DIRS": str(folder),
    }  # fmt: skip


def _flume(env: Env, folder: Path) -> tuple[list[str], dict[str, str]]:
    file = fill_in("flume.properties", env, folder)
    (folder / "log4j.properties").write_text(LOG4J)
    path = os.pathsep.join((str(folder), install.jars(install.FLUME), install.jars(install.HDFS_CLIENT)))
    main = ["org.apache.flume.node.Application", "--no-reload-conf", "-n", "a", "-f", str(file)]
    return [str(install.java()), *JAVA, "-cp", path, *main], {"HADOOP_USER_NAME": env["hdfs_user"]}


def _rsyslog(env: Env, folder: Path) -> tuple[list[str], dict[str, str]]:
    root, url = install.debian(), urlsplit(env["elasticsearch_url"])
    file = fill_in("rsyslog.conf", env | {
        "folder": str(folder), "es_host": str(url.hostname), "es_port": str(url.port),
        "brokers": ",".join(f'"{broker}"' for broker in env["bootstrap_servers"].split(",")),
    }, folder)  # fmt: skip
    libraries = install.debian_libraries(root)
    command = [
        f"{root}/usr/sbin/rsyslogd",
        "-n",
        "-f",
        str(file),
        "-i",
        f"{folder}/pid",
        "-M",
        f"{libraries}/rsyslog",
    ]
    return command, {"LD_LIBRARY_PATH": str(libraries)}


def fill_in(name: str, env: Env, folder: Path) -> Path:
    """Write a peer's configuration into its folder; it may hold the password."""
    text = (SCRIPTS / name).read_text(encoding="utf-8")
    for key, value in env.items():
        text = text.replace(f"@{key}@", value)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return file


LOG4J = """log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n
"""
GROUP_A = Client("group A", ELASTICSEARCH, _group, "id", ours=True)
GROUP_B = Client("group B", HDFS, _group, ours=True)
CLIENTS = (
    GROUP_A,
    Client("one `es.index` a record", ELASTICSEARCH, _script("naive_elasticsearch.py"), most=2_000),
    Client("kafka-python, `helpers.bulk`", ELASTICSEARCH, _script("helpers_bulk.py")),
    Client("confluent-kafka, raw bodies", ELASTICSEARCH, _script("confluent_bulk.py", "1", venv="confluent")),
    Client(
        "confluent-kafka, 2 in flight", ELASTICSEARCH, _script("confluent_bulk.py", "2", venv="confluent")
    ),
    Client("quix-streams", ELASTICSEARCH, _script("quix_elasticsearch.py", venv="quix")),
    Client("rsyslog", ELASTICSEARCH, _rsyslog),
    GROUP_B,
    Client("one append a record", HDFS, _script("naive_hdfs.py"), most=200),
    Client("confluent-kafka, 16 MB appends", HDFS, _script("confluent_append.py", venv="confluent")),
    Client("quix-streams, files", HDFS, _script("quix_hdfs.py", venv="quix")),
    Client("Flume", HDFS, _flume),
    Client("Spark Structured Streaming", HDFS, _spark),
)
