"""What the native launcher says of folders that are not its own or can't be written, and of servers that end."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

import downloads
import native_cluster
from kafka_cluster.script import UserError
from native_cluster import NativeCluster
from native_launch import launch
from own_folders import require_own, write_fault
from processes import ServerProcess

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


def link(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


# folders that another user could have made


@AS_ROOT
@pytest.mark.parametrize(
    "spoil",
    [link, lambda folder: os.chown(folder, 65534, -1), lambda folder: folder.chmod(0o775),
     lambda folder: folder.chmod(0o1777)],
    ids=["a link", "another's", "the group's too", "everybody's"],
)  # fmt: skip
def test_root_uses_no_folder_that_another_user_can_have_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    software, state = tmp_path / "software", tmp_path / "state"
    (software / "java").mkdir(parents=True)
    monkeypatch.setattr(native_cluster, "state_folder", lambda _: state)
    state.mkdir()
    assert downloads._make_once(software / "java", Path.mkdir).is_dir()
    NativeCluster({"elasticsearch_password": "x"})
    spoil(software / "java")
    with pytest.raises(UserError, match=f"{software}/java is not root's alone.*delete it .rm -r"):
        downloads._make_once(software / "java", Path.mkdir)
    spoil(state)
    with pytest.raises(UserError, match=f"{state} is not root's alone"):
        NativeCluster({"elasticsearch_password": "x"})
    shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
    spoil(software)
    for name in ("java", "new"):
        with pytest.raises(UserError, match="is not root's alone"):
            downloads._make_once(software / name, Path.mkdir)
    assert not (software / "new").exists()


@AS_ROOT
def test_what_root_made_itself_is_used_again_whatever_its_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for _ in range(2):
            downloads._make_once(tmp_path / "software" / "java", Path.mkdir)
    finally:
        os.umask(before)


def test_a_user_trusts_folders_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    tmp_path.chmod(0o775)
    require_own(tmp_path)


# what can't be written


def refused(error: pytest.ExceptionInfo[UserError]) -> str:
    assert str(error.value).count("\n") == 0
    return str(error.value)


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    """Below a file, where even root makes no folder."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "state"


def test_a_state_folder_that_can_not_be_made_is_one_line(
    no_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_cluster, "state_folder", lambda _: no_folder)
    with pytest.raises(UserError) as error:
        NativeCluster({"elasticsearch_password": "x"}).up()
    assert refused(error) == f"can't use {no_folder}: Not a directory", "room would not cure it"


def test_a_full_disk_is_one_line_and_a_reader_who_has_enough_is_no_fault_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_cluster, "state_folder", lambda _: tmp_path)
    monkeypatch.setattr(native_cluster, "check_free", lambda *_: None)
    raised: list[OSError] = [OSError(28, "No space left on device"), BrokenPipeError(32, "Broken pipe")]

    def supply(_: object) -> None:
        raise raised.pop(0)

    monkeypatch.setattr(native_cluster, "supply", supply)
    with pytest.raises(UserError) as error:
        NativeCluster({"elasticsearch_password": "x"}).up()
    assert f"can't use {tmp_path}: No space left on device" in refused(error)
    with pytest.raises(BrokenPipeError):
        NativeCluster({"elasticsearch_password": "x"}).up()


def test_of_many_files_that_could_not_be_copied_the_first_is_named() -> None:
    error = shutil.Error([("/java/a", "/copy/a", "[Errno 28] No space left"), ("/java/b", "/copy/b", "x")])
    assert "can't use /copy/a: [Errno 28] No space left;" in str(write_fault(error, Path("/copy")))


def test_a_cache_that_can_not_be_written_is_not_taken_for_a_network_that_is_away(
    no_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(no_folder))
    for fetch in (downloads.jars, downloads.elasticsearch_zip):
        with pytest.raises(UserError) as error:
            fetch("org:what:1")
        assert f"can't use {no_folder}/tweet-pipeline: Not a directory" in refused(error)


def test_a_network_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(downloads, "_whole_files", away)
    with pytest.raises(UserError, match="can't fetch jars from Maven Central: no route; is the network"):
        downloads.jars("org:what:1")


# servers that end


def test_a_namenode_that_can_not_be_formatted_is_named_with_its_last_words(tmp_path: Path) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho no room for an image\nexit 1\n")
    java.chmod(0o755)
    config = NativeCluster({"elasticsearch_password": "x"}).configs["namenode"]
    config = replace(config, folders=(str(tmp_path / "data"),))
    process = ServerProcess("namenode", tmp_path)
    with pytest.raises(UserError, match=f"namenode can't be formatted; see {process.log}:\n    no room for"):
        launch(process, config, tmp_path, {"java": str(tmp_path / "java"), "hadoop": ""})


class Ended:
    """A process that ends while it is asked."""

    def __getattr__(self, _: str) -> Any:
        raise psutil.NoSuchProcess(1)


def test_a_server_that_ends_while_it_is_looked_at_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ServerProcess("kafka1", tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(process, "_group", lambda: [Ended()])
        assert process.resident_bytes() == 0 and process.listeners() == set()
    monkeypatch.setattr(ServerProcess, "pid", 1 << 22)  # above every pid
    assert process._group() == []
    process.signal(0)


# servers that run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess("kafka1", tmp_path)
    process.start(["sleep", "60"], os.environ)
    yield process
    assert process._child
    process._child.kill()
    process._child.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil's time of start is all that there is")
def test_a_server_is_known_again_after_the_clock_was_set(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_before = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: as_before(process) + 2.0)
    again = ServerProcess("kafka1", server.folder)
    assert server._child and again.pid == server._child.pid
    again.stop(5)
    assert server._child.wait(5) and again.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil's time of start is all that there is")
def test_a_pid_is_another_processs_where_the_machine_was_started_anew(server: ServerProcess) -> None:
    file = server.folder / "pid.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"started": "another-boot " + known["started"].split()[1]}))
    assert server.pid is None


def test_a_pid_file_of_an_earlier_version_is_understood(server: ServerProcess) -> None:
    file = server.folder / "pid.json"
    known = json.loads(file.read_text())
    earlier = {name: known[name] for name in ("pid", "created")}
    file.write_text(json.dumps(earlier))
    assert server.pid == known["pid"]
    file.write_text(json.dumps(earlier | {"created": 1.0}))
    assert server.pid is None


def test_the_line_that_leads_to_a_second_cluster_unsets_passwords_and_shows_none() -> None:
    elsewhere = {"kafka_security_protocol": "SASL_SSL", "kafka_user": "u", "kafka_password": "secret-1"}
    hints = NativeCluster(elsewhere | {"elasticsearch_password": "secret-2"}, 1_000).hints()
    assert "kafka_security_protocol= kafka_user= kafka_password= " in hints[1] and "secret" not in hints[1]
