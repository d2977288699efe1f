"""The order of the parts, the stage that they share, and what is done with the figures at the end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from bench_peers import HDFS
from bench_report import tables, write_chart, write_readmes
from bench_results import Results
from bench_stage import SERVERS, Stage
from kafka_cluster.script import ROOT
from native_cluster import NativeCluster

ORDER = (
    "test_limits", "test_peers", "test_producing", "test_kills", "test_freshness", "test_growth", "test_stream_path",
    "test_report",
)  # fmt: skip


FRESH_METRICS = "*.periodMillis=100\n"
"""The DataNodes' counters as they are now; by default what they tell over HTTP is up to 10 s old."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-readme",
        action="store_true",
        help="put the tables into both READMEs, and draw assets/bench.svg",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem))


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    """The figures, also those of earlier runs; shown at the end."""
    found = Results()
    yield found
    print("\n" + tables(found, "en"))
    if request.config.getoption("--write-readme"):
        write_readmes(found)
        write_chart(found)
        subprocess.run([sys.executable, str(ROOT / "assets" / "draw.py")], check=True)


@pytest.fixture(scope="session")
def disks() -> Callable[[NativeCluster], AbstractContextManager[object]]:
    """Done before the servers start."""

    def prepared(native: NativeCluster) -> AbstractContextManager[object]:
        for name in SERVERS[HDFS]:
            config = native.configs[name]
            files = {**config.files, "hadoop-metrics2.properties": FRESH_METRICS}
            native.configs[name] = replace(config, files=files)
        return nullcontext()

    return prepared


@pytest.fixture(scope="session")
def warm(stage: Stage) -> None:
    """Servers as they are after a while, not as they start."""
    stage.warm_up()


@pytest.fixture(scope="session")
def stage(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Topics and jobs on the cluster of this run."""
    stage = Stage(cluster, tmp_path_factory.mktemp("bench"))
    yield stage
    stage.close()
