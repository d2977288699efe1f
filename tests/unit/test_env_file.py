"""`init`, which is what a newcomer runs first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clusters import PASSWORDS
from compose_cluster import ComposeCluster
from compose_file import load_services
from env_file import make_env_file
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import env_file_values, load_settings
from native_cluster import NativeCluster

SEED = """access_token = "[twitter access token]"
bootstrap_servers_ip = "[localhost ip addr]"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "kafka-cluster").mkdir()
    shutil.copy(ROOT / ".env.example", tmp_path)
    (tmp_path / "kafka-cluster" / ".env").symlink_to("../.env")
    return tmp_path


def test_it_writes_a_file_that_only_its_owner_reads_with_passwords_of_its_own(checkout: Path) -> None:
    make_env_file(checkout)
    env_file = checkout / ".env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    passwords = passwords_in(env_file)
    assert len(passwords) == 4 and all(len(password) >= 20 for password in passwords)
    env_file.unlink()
    make_env_file(checkout)
    assert len(passwords | passwords_in(env_file)) == 8, "each is random"
    assert (checkout / "kafka-cluster" / ".env").read_text() == env_file.read_text(), "compose reads the same"


def passwords_in(env_file: Path) -> set[str]:
    settings = load_settings(env_file, {})
    return {getattr(settings, name) for name in PASSWORDS}


def test_it_never_touches_a_file_that_is_there(checkout: Path) -> None:
    mine = "api_key = mine\nelasticsearch_password = mine\n"
    (checkout / ".env").write_text(mine)
    said = make_env_file(checkout)
    assert (
        "is there already; without elasticsearch_writer_password, " in said and "the scripts use that" in said
    )
    assert (checkout / ".env").read_text() == mine


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SEED, "bootstrap_servers_ip in .env is still the example's, .localhost ip addr.: put an IP address"),
        ("bind_address='[x]'\n", "bind_address in .env is still the example's"),
        ('elasticsearch_password = "[a password]"\n', "elasticsearch_password in .env is still"),
        ("api_key = mine\n", "has no elasticsearch_password: add the line"),
        ("elasticsearch_password =\n", "has no elasticsearch_password: add the line"),
    ],
)
def test_a_file_that_can_not_be_started_with_is_refused_by_name(checkout: Path, text: str, said: str) -> None:
    (checkout / ".env").write_text(text)
    with pytest.raises(UserError, match=said):
        make_env_file(checkout)


def test_a_file_in_another_encoding_is_one_clear_line(checkout: Path) -> None:
    (checkout / ".env").write_bytes("elasticsearch_password = grün\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"\.env is not in UTF-8: open it in an editor and save"):
        make_env_file(checkout)
    (checkout / "kafka-cluster" / ".env").unlink()
    (checkout / ".env").write_bytes(b"t=\xfc")  # as short as what git leaves in place of a link
    (checkout / "kafka-cluster" / ".env").write_bytes(b"t=\xfc")
    with pytest.raises(UserError, match=r"is not in UTF-8"):
        make_env_file(checkout)


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
    make_env_file(checkout)
    load_settings(checkout / ".env", {})
    (checkout / ".env").write_text("topic = other\n")
    for start in (lambda: make_env_file(checkout), lambda: load_settings(checkout / ".env", {})):
        with pytest.raises(UserError, match="differ, and the scripts read the first, compose the other"):
            start()


def test_a_file_beside_the_compose_file_alone_is_not_what_the_scripts_read(checkout: Path) -> None:
    beside = checkout / "kafka-cluster" / ".env"
    beside.unlink()
    beside.write_text("elasticsearch_password = x\n")
    with pytest.raises(UserError, match="is read by compose only: move it to"):
        load_settings(checkout / ".env", {})


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


def test_the_example_alone_asks_for_its_one_value() -> None:
    example = env_file_values(ROOT / ".env.example")
    assert example["elasticsearch_password"] == ""
    with pytest.raises(UserError, match="elasticsearch_password is not set: put one into"):
        load_services(example)
    assert load_services(example | {"elasticsearch_password": "x"})


def test_brackets_are_refused_by_name_before_a_server_starts() -> None:
    for make in (NativeCluster, ComposeCluster):
        with pytest.raises(UserError, match=r"bootstrap_servers_ip in \.env is still the example's"):
            make({"elasticsearch_password": "x", "bootstrap_servers_ip": "[localhost ip addr]"})
