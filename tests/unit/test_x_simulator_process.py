"""The simulated X as a process: when it ends, and which port it has."""

import subprocess
import sys
import time

import pytest
import requests

from asking_x import allow, connect, read
from kafka_cluster.script import ROOT, UserError
from x_simulator import Options, Simulator


def refuses(url: str, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            requests.get(url, timeout=2)
        except requests.ConnectionError:
            return True
        time.sleep(0.05)
    return False


def test_it_ends_by_itself_after_its_duration() -> None:
    with Simulator(Options(rate=100, duration=1.0)) as x:
        allow(x)
        started = time.monotonic()
        with connect(x) as response:
            read(response, 10_000)
        assert time.monotonic() - started < 5 and refuses(x.url)


def test_it_ends_with_the_process_that_started_it() -> None:
    code = "import time, x_simulator as x; s = x.Simulator().__enter__(); print(s.url, flush=True); time.sleep(60)"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT / "kafka-producer", stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        url = parent.stdout.readline().strip()
        assert not refuses(url, 0.2)
        parent.kill()
    assert refuses(url)


def test_a_port_can_be_chosen_and_a_taken_one_is_said_in_one_line() -> None:
    with Simulator() as first:
        assert first.url == f"http://127.0.0.1:{first.port}"
        with pytest.raises(UserError, match=r"did not start.*in use"), Simulator(Options(port=first.port)):
            pass
