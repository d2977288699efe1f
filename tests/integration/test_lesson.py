"""The lesson's commands print what the lesson says. They run in order, on the topic `tweets` of the tests' cluster."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kafka_cluster.script import ROOT
from kafka_cluster.settings import ELASTICSEARCH_USERS

pytestmark = pytest.mark.long

LESSON, TWIN = ROOT / "docs" / "learn-kafka-here.md", ROOT / "docs" / "learn-kafka-here.ko.md"


def steps(page: Path) -> list[tuple[str, list[str]]]:
    """Each command with the lines that it should print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line != "...":
                found[-1][1].append(line)
    return found


def shape(line: str) -> str:
    """A line without what may differ: numbers, which broker leads, spaces, the time of a log line."""
    line = re.sub(r"^\d\d:\d\d:\d\d INFO ", "", line)
    return " ".join(re.sub(r"\d+(?:[,.]\d+)*", "0", line).split())


def test_the_twin_has_the_same_commands_and_output() -> None:
    assert steps(LESSON) == steps(TWIN)


@pytest.mark.timeout(300)
def test_each_command_prints_what_the_lesson_says(cluster: Any, tmp_path: Path) -> None:
    offset = cluster.native.offset
    (tmp_path / ".env").write_text(f"elasticsearch_password = {cluster.env['elasticsearch_password']}\n")
    names = {
        "elasticsearch_alias": "tweets",
        "events_index": "pipeline-events",
    }  # those of a newcomer, as elastic
    env = os.environ | cluster.env | names | dict.fromkeys(ELASTICSEARCH_USERS.values(), "")
    env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = ""
    for command, wanted in steps(LESSON):
        here = command.replace(" .env)", f" {tmp_path}/.env)").replace(":9200/", f":{9200 + offset}/")
        here = re.sub(r"(cluster\.py \w+)", rf"\1 --port-offset {offset}", here)
        if here.startswith("password="):
            shell = f"{here}; "
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", shell + here], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip
        assert done.returncode in (0, 1 if "status" in here else 0), f"{here}\n{done.stdout}{done.stderr}"
        printed = iter(map(shape, done.stdout.splitlines()))
        for line in wanted:
            pattern = re.escape(shape(line)).replace(r"\.\.\.", ".*")
            assert any(re.fullmatch(pattern, each) for each in printed), (
                f"{here}\nnot printed: {line}\n{done.stdout}{done.stderr}"
            )
