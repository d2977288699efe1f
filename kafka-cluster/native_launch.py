"""How a server's process begins: with what software, which command, and what it sees of our environment."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import downloads
from kafka_cluster.script import UserError
from processes import ServerProcess
from provisioning import UNPRIVILEGED_USER, clean_environment, is_formatted
from server_config import ServerConfig

NATIVE = yaml.safe_load(Path(__file__).with_name("native.yml").read_text(encoding="utf-8"))


def supply(servers: list[str]) -> dict[str, str]:
    """By name, what these servers need: Java, class paths, Elasticsearch's folder; fetched where it is not there."""
    if not servers:
        return {}
    found = {"java": str(downloads.java_home())}
    for name in {NATIVE["services"][server]["software"] for server in servers}:
        what: dict[str, Any] = NATIVE["software"][name]
        found[name] = (
            downloads.class_path(what["jars"].strip())
            if "jars" in what
            else str(downloads.elasticsearch_home(what["zip"]))
        )
    return found


def launch(process: ServerProcess, config: ServerConfig, folder: Path, software: Mapping[str, str]) -> None:
    """Start a server that was provisioned in its folder; a NameNode without data is formatted before, and UserError
    raised where that fails."""
    environment = clean_environment(software["java"], folder) | dict(config.environment)
    if config.password:
        user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        environment |= {"ES_PATH_CONF": str(folder / "config"), "ES_TMPDIR": str(folder / "tmp")}
        process.start([f"{software['elasticsearch']}/bin/elasticsearch"], environment, user)
        return
    native = NATIVE["services"][process.name]
    java = [
        f"{software['java']}/bin/java", *config.jvm, *native["jvm"], f"-Djava.io.tmpdir={folder / 'tmp'}",
        f"-Dlog4j.configuration=file:{folder}/log4j.properties",
        "-cp", f"{folder}{os.pathsep}{software[native['software']]}", native["main"],
    ]  # fmt: skip
    if process.name == "namenode" and not any(map(is_formatted, config.folders)):
        with process.log.open("ab") as log:
            done = subprocess.run(
                [*java, "-format", "-force", "-nonInteractive"], env=environment, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, start_new_session=True,
            )  # fmt: skip
        if done.returncode:
            raise UserError(f"namenode can't be formatted; see {process.log}:\n{process.last_words()}")
    process.start([*java, *config.arguments], environment)
