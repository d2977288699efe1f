"""`run.py`: what a newcomer meets first, before anything is installed; how it ends, and with what exit code."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kafka_cluster.script import ROOT


def run_copy(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of run.py, in a folder without .venv, after `code` has spoiled something."""
    shutil.copy(ROOT / "run.py", folder)
    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder)
    for name in ("kafka-cluster/requirements-native.txt", "kibana-dashboards/requirements-preview.txt"):
        (folder / name).parent.mkdir()
        shutil.copy(ROOT / name, folder / name)
    call = f"import runpy, sys; sys.argv = ['run.py', 'test']; {code}; runpy.run_path('run.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-S", "-c", call], cwd=folder, capture_output=True, text=True, check=False
    )


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("run.py: ") and said in done.stderr


def test_a_python_without_venv_says_how_to_get_it(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho No module named venv >&2\nexit 1\n")
    broken.chmod(0o755)
    refused(run_copy(tmp_path, f"sys.executable = {str(broken)!r}"), "apt install python3-venv")


def test_an_old_python_is_told_which_is_needed(tmp_path: Path) -> None:
    refused(run_copy(tmp_path, "sys.version_info = (3, 10)"), "Python 3.11 or newer is needed")


def test_packages_that_can_not_be_had_are_one_line(tmp_path: Path) -> None:
    spoiled = "import os; os.environ |= {'PIP_INDEX_URL': 'http://127.0.0.1:1/', 'PIP_RETRIES': '0'}"
    (tmp_path / "requirements.txt").touch()
    refused(run_copy(tmp_path, spoiled), "can't install the packages")


# the rest runs in a process of its own, since run.py takes over signals when it is imported


def with_run(code: str) -> subprocess.Popen[str]:
    heard = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # also where the tests run under nohup
    )
    code = f"{heard}; import sys; import run\n{code}"
    return subprocess.Popen([sys.executable, "-B", "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_asks_run_py_to_end_reaches_the_command_too(number: int) -> None:
    child = "import time; print('started', flush=True); time.sleep(60)"
    with with_run(f"run.heed_signals(); sys.exit(run.call([sys.executable, '-c', {child!r}]))") as process:
        assert process.stdout and process.stdout.readline() == "started\n"
        process.send_signal(number)
        assert process.wait(20) == 130
        assert process.stdout.read() == "", "the pipe is closed: the command has ended as well"


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "goes on"), (signal.SIGTERM, "ends")])
def test_ctrl_c_ends_the_stream_of_the_demo_and_sigterm_all_of_it(number: int, said: str) -> None:
    code = (
        "wait = 'import time; time.sleep(60)'; view = 'print(\"started\", flush=True); ' + wait\n"
        "run.script = lambda *_: [sys.executable, '-c', view]\n"
        "run.heed_signals(); producer = run.subprocess.Popen([sys.executable, '-c', wait])\n"
        "try: run.watch(producer, None); print('goes on')\n"
        "except run.AskedToEnd: print('ends')\n"
        "print(producer.poll())"
    )
    with with_run(code) as process:
        assert process.stdout and process.stdout.readline() == "started\n"
        process.send_signal(number)
        assert process.communicate(timeout=20)[0].split("\n")[:2] == [said, "-15"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_process_is_started_by_half(number: int) -> None:
    code = (
        "import os; run.heed_signals()\n"
        "try:\n"
        f" with run.uninterrupted(): os.kill(os.getpid(), {int(number)}); print('the rest')\n"
        "except KeyboardInterrupt as asked: print(type(asked).__name__)"
    )
    with with_run(code) as process:
        said = process.communicate(timeout=20)[0].split("\n")
    assert said[:2] == ["the rest", "KeyboardInterrupt" if number == signal.SIGINT else "AskedToEnd"]


def test_nohup_is_heeded() -> None:
    code = (
        "run.signal.signal(1, run.signal.SIG_IGN); run.heed_signals(); print(repr(run.signal.getsignal(1)))"
    )
    with with_run(code) as process:
        assert "SIG_IGN" in process.communicate(timeout=20)[0]


@pytest.mark.parametrize(
    ("codes", "result"), [([0, 0, 0], 0), ([0, -9, 0], -9), ([1, 0, -9], 1), ([0, 130, 7], 130)]
)
def test_a_check_that_was_killed_has_not_passed(codes: list[int], result: int) -> None:
    code = (
        f"c = iter({codes}); run.install = print; run.call = lambda *_: next(c); print('is', run.check([]))"
    )
    with with_run(code) as process:
        assert process.communicate(timeout=20)[0].splitlines()[-1] == f"is {result}"
