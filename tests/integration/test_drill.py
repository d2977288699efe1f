"""The drill: a leader dies under load, the others take over, it comes back, and the audit agrees."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from kafka_cluster.script import ROOT
from pipeline import Pipeline

pytestmark = pytest.mark.long


@pytest.mark.timeout(400)
def test_the_drill_shows_another_leader_and_ends_with_everything_in_its_place(
    cluster: Any, pipeline: Pipeline
) -> None:
    command = [sys.executable, str(ROOT / "kafka-cluster" / "cluster.py"), "drill"]
    done = subprocess.run(
        [*command, "--port-offset", str(cluster.offset)], env=os.environ | pipeline.env,
        capture_output=True, text=True, timeout=360, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    killed = re.search(r"kafka(\d), the leader of partition 0, is killed", done.stdout)
    assert killed, done.stdout
    led_by = re.findall(r"is dead +leaders (\d)", done.stdout)
    assert led_by and led_by[-1] != killed[1], done.stdout
    assert re.search(r"comes back +leaders .* in sync 3 3 3 3 3 3", done.stdout), done.stdout
    assert "all agree: nothing is missing, nothing is doubled" in done.stdout
