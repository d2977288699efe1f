"""The commands of the README, copied literally, in order, in a clean clone: `python3 run.py test tests/readme`.

Where they say docker-compose, the README's own way without Docker is taken. The path has spaces and Korean letters.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafka_cluster.script import ROOT
from native_cluster import free_offset

README, TWIN = ROOT / "README.md", ROOT / "README.ko.md"
WITHOUT_DOCKER = [
    "pip install -r kafka-cluster/requirements-native.txt",
    "python3 kafka-cluster/cluster.py up",
]
SECONDS = {"producer.py": 10, "consumer.py": 25}
"""How long what runs until Ctrl-C may run."""


def chapter(page: Path) -> str:
    found = re.search(r"^## How to Run This Project$(.*?)^\| ", page.read_text(encoding="utf-8"), re.M | re.S)
    assert found
    return found[1]


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^ +```\n(.*?)^ +```$", chapter(page), re.M | re.S)
    return [line.strip() for block in blocks for line in block.splitlines()]


def as_script(asked: list[str], offset: int) -> str:
    """The commands, with the port offset of the test, and an end for what runs until Ctrl-C."""
    script = ["set -eu"]
    for command in asked:
        found = re.search(r"kafka-\w+/(producer|consumer)\.py$", command)
        if found:
            seconds = SECONDS[f"{found[1]}.py"]
            script += [f'timeout --signal=INT {seconds} {command} & pids="${{pids-}} $!"']
        elif "audit.py" in command:
            script += ["for pid in $pids; do wait $pid || test $? = 124; done", command]
        elif "docker-compose" in command or command.startswith("cd "):
            continue
        else:
            script.append(command)
        if command.startswith("pip install"):
            up = f"{WITHOUT_DOCKER[1]} --port-offset {offset}"
            script += [WITHOUT_DOCKER[0], up, f'set -a; eval "$({up.replace(" up", " env")})"; set +a']
    return "\n".join(script)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A clean clone, without a cluster before and after."""
    target = tmp_path / "트윗 pipe line"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(target)], check=True)
    yield target


def test_the_twins_have_the_same_commands_tables_and_pictures() -> None:
    assert commands(README) == commands(TWIN) != []
    for pattern in (r"^## .*$", r"`[a-z_]+`", r"!\[.*?\]\((.*?)\)"):
        ours, theirs = (
            re.findall(pattern, page.read_text(encoding="utf-8"), re.M) for page in (README, TWIN)
        )
        assert set(ours) == set(theirs)
    for command in WITHOUT_DOCKER:
        assert f"`{command}`" in README.read_text(encoding="utf-8")


def test_every_file_that_the_pages_name_is_there() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.timeout(900)
def test_a_newcomer_who_copies_the_commands_ends_with_everything_in_both_places(clone: Path) -> None:
    offset = free_offset({"elasticsearch_password": "x"})
    kept = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    env = {name: os.environ[name] for name in kept if name in os.environ} | {"hdfs_flush_seconds": "2"}
    try:
        done = subprocess.run(
            ["bash", "-c", as_script(commands(README), offset)], cwd=clone, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=800, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "all agree: nothing is missing, nothing is doubled" in done.stdout
        assert int(re.search(r"([\d,]+) acknowledged by Kafka", done.stdout)[1].replace(",", "")) > 100  # type: ignore[index]
    finally:
        down = [
            ".venv/bin/python3",
            "kafka-cluster/cluster.py",
            "down",
            "--volumes",
            "--port-offset",
            str(offset),
        ]
        subprocess.run(down, cwd=clone, env=env, check=False)
