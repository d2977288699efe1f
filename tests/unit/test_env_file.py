"""`init`, which is what a newcomer runs first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compose_file import load_services
from env_file import make_env_file
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import load_settings


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "kafka-cluster").mkdir()
    shutil.copy(ROOT / ".env.example", tmp_path)
    (tmp_path / "kafka-cluster" / ".env").symlink_to("../.env")
    return tmp_path


def test_it_writes_a_file_that_only_its_owner_reads_with_a_password_of_its_own(checkout: Path) -> None:
    make_env_file(checkout)
    env_file = checkout / ".env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    password = load_settings(env_file, {}).elasticsearch_password
    assert len(password) >= 20
    env_file.unlink()
    make_env_file(checkout)
    assert load_settings(env_file, {}).elasticsearch_password != password
    assert (checkout / "kafka-cluster" / ".env").read_text() == env_file.read_text(), "compose reads the same"


def test_it_never_touches_a_file_that_is_there(checkout: Path) -> None:
    (checkout / ".env").write_text("api_key = mine\n")
    assert "is there already" in make_env_file(checkout)
    assert (checkout / ".env").read_text() == "api_key = mine\n"


def test_where_links_are_no_links_it_copies_and_refuses_two_that_differ(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = checkout / "kafka-cluster" / ".env"
    link.unlink()
    link.write_text("../.env")  # what git leaves there on Windows

    def no_links(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    make_env_file(checkout)
    assert link.read_text() == (checkout / ".env").read_text()
    (checkout / ".env").write_text("topic = other\n")
    with pytest.raises(UserError, match="differ"):
        make_env_file(checkout)


def test_it_needs_nothing_but_python(checkout: Path) -> None:
    rooms = ROOT / "kafka-cluster"
    for name in ("cluster.py", "env_file.py"):
        shutil.copy(rooms / name, checkout / "kafka-cluster")
    shutil.copytree(rooms / "kafka_cluster", checkout / "kafka-cluster" / "kafka_cluster")
    bare = [sys.executable, "-S", "-E", str(checkout / "kafka-cluster" / "cluster.py")]
    assert subprocess.run([*bare, "init"], capture_output=True, check=False).returncode == 0
    assert (checkout / ".env").exists()
    other = subprocess.run([*bare, "up"], capture_output=True, text=True, check=False)
    assert other.returncode == 2
    assert "pip install -r requirements.txt -r kafka-cluster/requirements-native.txt" in other.stderr


def test_the_example_alone_is_refused_by_name() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert 'elasticsearch_password = "[a password]"' in text
    from native_cluster import NativeCluster

    with pytest.raises(UserError, match="elasticsearch_password"):
        NativeCluster({"elasticsearch_password": "[a password]"})
    assert load_services({"elasticsearch_password": "x"})
