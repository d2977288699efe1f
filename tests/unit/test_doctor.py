"""One bad check does not spoil the others, and what the doctor prints in a checkout where no server runs."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compose_cluster import ComposeCluster
from doctor import diagnose, show
from findings import Check, Finding, Level, Patient, examine, fault, ok, warning
from kafka_cluster.script import ROOT, UserError
from kafka_cluster.settings import Settings

PATIENT = Patient(Settings(elasticsearch_password="a-password-of-its-own"), None)  # type: ignore[arg-type]


# how checks are run


def raising(_: Patient) -> Iterator[Finding]:
    yield warning("seen before")
    raise UserError("it does not answer: start it")


def test_a_check_that_fails_is_a_fault_what_follows_it_is_skipped_and_the_others_go_on() -> None:
    checks = [
        Check("a", raising, (Check("b", lambda _: [ok("never")]),)),
        Check("c", lambda _: [ok("good"), fault("bad")], (Check("d", lambda _: [ok("fine")]),)),
        Check("e", lambda _: [ok(str({}["key"]))]),
    ]
    found = dict(examine(checks, PATIENT))
    assert [each.what for each in found["a"]] == ["seen before", "it does not answer: start it"]
    assert found["b"] == [Finding(Level.SKIPPED, "not looked at: see a")]
    assert found["c"] == [fault("bad")] and found["d"] == [ok("fine")]
    assert found["e"] == [fault("KeyError: 'key'")]


def test_a_check_that_hangs_is_left_behind() -> None:
    started, release = time.monotonic(), threading.Event()

    def hang(_: Patient) -> list[Finding]:
        release.wait(30)
        return []

    checks = [Check("hangs", hang, (Check("then", hang),)), Check("other", lambda _: [ok("fine")])]
    found = examine(checks, PATIENT, seconds=0.2)
    release.set()
    assert time.monotonic() - started < 5
    late = "can't be told: no answer within 0 s"
    assert [(subject, each[0].what) for subject, each in found] == [
        ("hangs", late),
        ("then", late),
        ("other", "fine"),
    ]


def test_what_a_server_says_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([("brokers", [fault("\x1b[31mred\x1b[0m\r\nnext", "cure\x07")])], None)  # type: ignore[arg-type]
    shown = "\\x1b[31mred\\x1b[0m next -> cure\\x07"
    assert capsys.readouterr().out == f"fault    brokers        {shown}\n"


# the script, in a checkout of its own, where no server runs


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    shutil.copytree(ROOT / "kafka-cluster", tmp_path / "kafka-cluster", symlinks=True)
    nowhere = {
        "bootstrap_servers": "127.0.0.1:1", "elasticsearch_url": "http://127.0.0.1:1", "webhdfs_url": "http://127.0.0.1:1",
    }  # fmt: skip

    def run(*unset: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "kafka-cluster" / "cluster.py"), "doctor"]
        env = {key: os.environ[key] for key in ("PATH", "HOME", "never_contact_x")} | nowhere
        env = {key: value for key, value in env.items() if key not in unset}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=False)

    return run


def write_env(folder: Path, text: str, mode: int = 0o600) -> None:
    (folder / ".env").write_text(text)
    (folder / ".env").chmod(mode)


def test_a_cluster_that_is_down_is_one_line_and_the_rest_is_looked_at(
    tmp_path: Path, doctor: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write_env(tmp_path, "elasticsearch_password = changeme\napi_key = only-one\n", 0o644)
    done = doctor()
    assert done.returncode == 1 and not done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.split()[1] == "servers"] == [
        "warning  servers        none runs, and nothing answers where .env says: they were not looked at "
        "-> python3 kafka-cluster/cluster.py up"
    ]
    assert not [line for line in lines if line.split()[1] in ("brokers", "HDFS", "Elasticsearch")]
    for text in ("chmod 600 .env", "weak: 8 characters", "with api_key alone nothing can be read"):
        assert text in done.stdout
    assert "changeme" not in done.stdout and "only-one" not in done.stdout


@pytest.mark.parametrize(
    "login",
    [
        "elasticsearch_api_key = k\nelasticsearch_url = https://127.0.0.1:1",
        "elasticsearch_writer_password = w",
    ],
)
def test_without_the_password_all_is_looked_at_where_something_else_logs_in(
    tmp_path: Path, doctor: Callable[..., subprocess.CompletedProcess[str]], login: str
) -> None:
    write_env(tmp_path, f"{login}\n")
    done = doctor(*(["elasticsearch_url"] if "https" in login else []))
    subjects = [line.split()[1] for line in done.stdout.splitlines()[:-1]]
    assert {"memory", "disk", "servers"} <= set(subjects), done.stdout + done.stderr
    assert "elasticsearch_password is not set" not in done.stdout and "0 characters" not in done.stdout


def test_two_env_files_that_differ_are_the_one_finding(
    tmp_path: Path, doctor: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write_env(tmp_path, "elasticsearch_password = one\n")
    beside = tmp_path / "kafka-cluster" / ".env"
    beside.unlink()
    beside.write_text("elasticsearch_password = two\n")
    done = doctor()
    assert done.returncode == 1 and not done.stderr, done.stderr
    first, last = done.stdout.splitlines()
    assert (
        first.startswith("fault    settings")
        and "scripts read the first, compose the other: put what you" in first
    )
    assert last.endswith(": 1 fault") and last.startswith("1 check in")


def test_settings_that_can_not_be_used_are_the_one_finding() -> None:
    placeholder = {"elasticsearch_password": "x", "bind_address": "[localhost ip addr]"}
    ((subject, found),) = diagnose(lambda: ComposeCluster(placeholder))
    assert subject == "settings" and found[0].level is Level.FAULT
    assert "bind_address in .env is still the example's" in found[0].what
