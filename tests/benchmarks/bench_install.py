"""The peers' software, installed by the bench itself into the user's cache: PyPI, Maven Central, Debian.

Nothing of it touches the checkout or its .venv. What can't be had raises NotInstalled, with the reason.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import downloads
from kafka_cluster.script import UserError

SPARK = "4.0.0"
VENVS = {
    "confluent": ("confluent-kafka==2.12.2", "elasticsearch>=8.19,<9", "hdfs==2.7.3"),
    "quix": ("quixstreams[elasticsearch]==3.28.1", "elasticsearch>=8.19,<9", "hdfs==2.7.3"),
    "spark": (f"pyspark=={SPARK}",),
}
SPARK_JARS = f"org.apache.spark:spark-sql-kafka-0-10_2.13:{SPARK}"
KAFKA_TOOLS = "org.apache.kafka:kafka-tools:3.9.1+org.slf4j:slf4j-reload4j:1.7.36"
FLUME = (
    "org.apache.flume:flume-ng-node:1.11.0"
    "+org.apache.flume.flume-ng-channels:flume-kafka-channel:1.11.0"
    "+org.apache.flume.flume-ng-sinks:flume-hdfs-sink:1.11.0"
    "+org.slf4j:slf4j-reload4j:1.7.36"
)
HDFS_CLIENT = "org.apache.hadoop:hadoop-client-api:3.4.3+org.apache.hadoop:hadoop-client-runtime:3.4.3"
RSYSLOG = ("rsyslog", "rsyslog-kafka", "rsyslog-elasticsearch", "librdkafka1", "libestr0", "libfastjson4")


class NotInstalled(Exception):
    """A peer that can't be had here; the message says why, in a line."""


def folder() -> Path:
    """Where the peers are kept."""
    return downloads.cache_folder() / "bench"


def python_of(name: str) -> Path:
    """The Python of a peer's own virtual environment."""

    def make(half: Path) -> None:
        run([sys.executable, "-m", "venv", str(half)])
        run([str(half / "bin" / "python"), "-m", "pip", "install", "--quiet", *VENVS[name]])

    fingerprint = hashlib.sha256(" ".join((sys.version, *VENVS[name])).encode()).hexdigest()[:8]
    return once(folder() / f"{name}-{fingerprint}", make) / "bin" / "python"


def jars(coordinates: str) -> str:
    """A class path from Maven Central; `downloads.sha256` knows the servers' jars only."""
    try:
        return os.pathsep.join(map(str, downloads.jars(coordinates)))
    except UserError as error:
        raise NotInstalled(str(error)) from None


def java() -> Path:
    """The Java that runs the servers."""
    return downloads.java_home() / "bin" / "java"


def spark_java_home() -> Path:
    """The same as a JAVA_HOME for Spark, which asks for a module that the wheel's Java has not, nor Spark needs."""

    def make(half: Path) -> None:
        (half / "bin").mkdir(parents=True)
        script = half / "bin" / "java"
        script.write_text(
            f'#!/bin/bash\nexec "{java()}" "${{@/#--add-modules=jdk.incubator.vector/-Dwithout=vector}}"\n'
        )
        script.chmod(0o755)

    return once(folder() / f"spark-java-{hashlib.sha256(str(java()).encode()).hexdigest()[:8]}", make)


def debian() -> Path:
    """A folder with rsyslog, its modules and its libraries, unpacked, not installed."""
    if not shutil.which("apt-get"):
        raise NotInstalled("there is no apt-get, and rsyslog's modules come from Debian")

    def make(half: Path) -> None:
        half.mkdir()
        run(["apt-get", "download", *RSYSLOG], half)
        for package in half.glob("*.deb"):
            run(["dpkg", "-x", str(package), str(half)])

    return once(folder() / "debian", make)


def debian_libraries(root: Path) -> Path:
    """The folder of the shared libraries in it."""
    return next((root / "usr" / "lib").glob("*/rsyslog")).parent


def once(target: Path, make: Callable[[Path], object]) -> Path:
    """Make a folder, unless it is there; one that was left half made is made anew."""
    complete = target / ".complete"
    if not complete.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        make(target)  # in place: a virtual environment can't be moved
        complete.touch()
    return target


def run(command: list[str], cwd: Path | None = None) -> None:
    """Run a step. Raises NotInstalled with its last line where it fails."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | QUIET
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotInstalled(f"{Path(command[0]).name} {command[1]}: {lines[-1][:160]}")


QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "DEBIAN_FRONTEND": "noninteractive"}
