"""The rules of the house that a newcomer could break without noticing."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from kafka_cluster.script import ROOT
from kafka_cluster.settings import Settings, env_file_values, is_placeholder

ROOMS = ("kafka-cluster", "kafka-producer", "kafka-consumer", "kibana-dashboards")
MODULES = {room: {path.stem: path for path in (ROOT / room).glob("*.py")} for room in ROOMS}
SECRETS = {name for name, each in Settings.__dataclass_fields__.items() if not each.repr}
# A line of .env with a value that looks random; X's bearer tokens; a private key.
SECRET = re.compile(
    rf"""\b(?:{"|".join(SECRETS)})\b *[=:] *["']?(?=[\w%+/-]*\d)[\w%+/-]{{20,}}"""
    r"|A{22}[\w%]{20,}|-BEGIN [A-Z ]*PRIVATE KEY-"
)
LIBRARIES = {
    "kafka",
    "tweepy",
    "elasticsearch",
    "hdfs",
    "dotenv",
    "pytest",
    "requests",
    "rich",
    "yaml",
    "psutil",
    "matplotlib",
    "markdown_it",
    "vl_convert",
}


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_their_own_and_the_shared_package(room: str) -> None:
    others = {name for other in ROOMS if other != room for name in MODULES[other]}
    for path in MODULES[room].values():
        assert not imports(path) & others, f"{path} reaches into another room"


def test_the_shared_package_imports_no_room() -> None:
    everything = {name for room in ROOMS for name in MODULES[room]}
    for path in (ROOT / "kafka-cluster" / "kafka_cluster").glob("*.py"):
        assert not imports(path) & everything, path


def test_module_names_are_unique_and_shadow_no_library() -> None:
    names = [name for room in ROOMS for name in MODULES[room]]
    assert len(names) == len(set(names))
    assert not set(names) & LIBRARIES


def test_every_setting_is_explained_in_the_example_and_every_example_is_a_setting() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    shown = set(re.findall(r"^#? ?([a-z_]+) ?=", text, re.M))
    assert shown == set(Settings.__dataclass_fields__)


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_every_setting_is_in_the_table_of_each_readme(readme: str) -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", (ROOT / readme).read_text(encoding="utf-8"), re.M)
    assert set(re.findall("[a-z_]+", " ".join(rows))) >= set(Settings.__dataclass_fields__)


def test_no_secret_and_no_jar_is_in_git() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    assert not {".env", "kafka-cluster/.env"} & {name for name in files if not (ROOT / name).is_symlink()}
    assert not [
        name for name in files if name.endswith((".jar", ".whl", ".zip", ".p12", ".jks", ".keystore"))
    ]
    assert subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=ROOT, check=False).returncode == 0
    mine = {
        value for name, value in env_file_values().items() if name in SECRETS and not is_placeholder(value)
    }
    for name in files:
        if not (ROOT / name).is_file() or (ROOT / name).is_symlink():
            continue  # deleted, and not yet committed; or a link, of which git has the name that it leads to
        content = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        assert not SECRET.search(content), name
        assert not [value for value in mine if len(value) > 8 and value in content], (
            f"{name}: a value of .env"
        )


def test_a_secret_would_be_seen() -> None:
    for text in (
        f"elasticsearch_password = {'aB3-' * 6}", f"api_secret='{'x9' * 25}'", f"token {'A' * 22}{'b%2F' * 10}",
        "-----BEGIN " + "RSA PRIVATE KEY-----",
    ):  # fmt: skip
        assert SECRET.search(text), text
