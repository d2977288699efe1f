"""How long, how much, which faults: `python3 run.py chaos --minutes 5 --rate 300 --seed 1`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from native_cluster import NativeCluster
from small_disks import SmallDisk, small_disks

SERVERS_WITH_SMALL_DISKS = ("kafka1", "elasticsearch", "datanode1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, default=5.0, help="how long faults are injected (default 5)")
    parser.addoption("--rate", type=float, default=300.0, help="tweets a second (default 300)")
    parser.addoption("--seed", type=int, default=1, help="the same seed draws the same faults (default 1)")
    parser.addoption("--faults", default="", help="only these kinds, by name, with commas")
    parser.addoption("--at-least", type=int, default=0, help="fail where fewer faults were injected")


@pytest.fixture(scope="session")
def full_disks() -> dict[str, SmallDisk]:
    """The disks that servers of the cluster have of their own, by server; filled in when it starts."""
    return {}


@pytest.fixture(scope="session")
def disks(full_disks: dict[str, SmallDisk]) -> Callable[[NativeCluster], AbstractContextManager[object]]:
    """Mounted before the servers start."""

    @contextmanager
    def mounted(native: NativeCluster) -> Iterator[None]:
        folders = {name: Path(native.configs[name].folders[0]) for name in SERVERS_WITH_SMALL_DISKS}
        with small_disks(folders) as found:
            full_disks.update(found)
            yield

    return mounted
