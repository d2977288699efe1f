"""`run.py` before anything is installed: what a newcomer meets first."""

import shutil
import subprocess
import sys
from pathlib import Path

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
