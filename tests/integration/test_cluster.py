"""The verbs of cluster.py on the servers of the session; what only processes do is skipped in containers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

import downloads
from kafka_cluster.script import ROOT, UserError
from native_cluster import NativeCluster, free_offset
from native_launch import NATIVE
from processes import ServerProcess, check_free

SCRIPT = str(ROOT / "kafka-cluster" / "cluster.py")


def run(cluster: Any, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *args, "--port-offset", str(cluster.offset)]
    return subprocess.run(
        command, env=os.environ | cluster.env, capture_output=True, text=True, timeout=150, check=False
    )


def test_status_shows_servers_topics_leaders_and_lag_and_a_killed_broker_comes_back(cluster: Any) -> None:
    shown = run(cluster, "status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for text in ("datanode3", "tweets.dead-letter", "kafka1, kafka2, kafka3", "tweets-hdfs", "ready"):
        assert text in shown.stdout
    assert run(cluster, "kill", "kafka3").returncode == 0
    deadline = time.monotonic() + 30
    while "under-replicated" not in (shown := run(cluster, "status")).stdout:
        assert time.monotonic() < deadline, shown.stdout
    assert shown.returncode == 1 and "down" in shown.stdout
    assert run(cluster, "start", "kafka3").returncode == 0
    refused = run(cluster, "kill", "kafka9")
    assert refused.returncode == 2 and "there are zookeeper, kafka1" in refused.stderr


@pytest.mark.long
def test_a_second_up_changes_nothing_and_data_survives_down_and_up(cluster: Any) -> None:
    native: NativeCluster = cluster.native
    pids = {name: process.pid for name, process in native.processes.items()}
    document = f"{cluster.env['elasticsearch_url']}/survivor/_doc/1"
    login = ("elastic", cluster.env["elasticsearch_password"])
    file = f"{cluster.env['webhdfs_url']}/webhdfs/v1/survivor?user.name=hadoop"
    requests.put(document, json={"is": "there"}, auth=login, timeout=30).raise_for_status()
    requests.put(f"{file}&op=CREATE&overwrite=true", data=b"still there", timeout=30).raise_for_status()

    again = run(cluster, "up")
    assert again.returncode == 0, again.stderr
    assert {name: process.pid for name, process in native.processes.items()} == pids

    try:
        down = run(cluster, "down")
        assert down.returncode == 0, down.stderr
        assert not any(process.pid for process in native.processes.values())
        # an aborted run: one server up, and nobody who knows of it
        native.start("zookeeper")
        orphan = native.processes["zookeeper"].pid
        up = run(cluster, "up")
        assert up.returncode == 0, up.stderr + up.stdout
    finally:
        native.up()  # for the tests that follow
    assert "ending what an aborted run left: zookeeper" in up.stdout
    assert orphan and native.processes["zookeeper"].pid != orphan
    assert native.resident_bytes() < 4 << 30
    assert requests.get(document, auth=login, timeout=30).json()["_source"] == {"is": "there"}
    assert requests.get(f"{file}&op=OPEN", timeout=30).content == b"still there"


def test_secrets_are_on_no_command_line_and_nothing_listens_beyond_loopback(cluster: Any) -> None:
    password = cluster.env["elasticsearch_password"]
    for process in cluster.native.processes.values():
        leader = psutil.Process(process.pid)
        for one in [leader, *leader.children(recursive=True)]:
            assert password not in " ".join(one.cmdline())
            for connection in one.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    assert connection.laddr.ip in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    if os.geteuid() == 0:
        assert psutil.Process(cluster.native.processes["elasticsearch"].pid).username() == "nobody"


def test_a_jar_that_was_changed_is_refused(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / downloads.NAME
    shutil.copytree(downloads.cache_folder() / "jgo", cached / "jgo", copy_function=os.symlink)
    (cached / "maven").symlink_to(downloads.cache_folder() / "maven")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    coordinates = NATIVE["software"]["kafka"]["jars"]
    whole = downloads.class_path(coordinates)
    changed = next(Path(jar) for jar in whole.split(os.pathsep) if "kafka-clients" in jar)
    assert changed.is_relative_to(tmp_path)
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.unlink()
    changed.write_bytes(content)
    with pytest.raises(
        UserError, match=r"kafka-clients-3.9.1.jar is not the file that downloads.sha256 names"
    ):
        downloads.class_path(coordinates)


def test_a_taken_port_is_refused_with_the_name_of_who_holds_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"port {port}, which kafka1 needs, is taken by .*pid {os.getpid()}"
        ):
            check_free("kafka1", [port])


def test_a_process_that_is_not_ours_is_never_touched(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        server = ServerProcess("kafka1", tmp_path)
        (tmp_path / "pid.json").write_text(f'{{"pid": {other.pid}, "created": 1.0}}')
        server.stop(1)
        server.kill()
        assert not server.signal(signal.SIGKILL) and other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_download_that_fails_is_one_clear_line(cluster: Any, tmp_path: Path) -> None:
    env = os.environ | cluster.env | {
        "XDG_CACHE_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1",
    }  # fmt: skip
    other = free_offset({"elasticsearch_password": "x"})
    command = [sys.executable, SCRIPT, "up", "--port-offset", str(other)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and "can't fetch" in done.stderr and "Traceback" not in done.stderr, (
        done.stderr
    )
