"""The one cluster of a test session: started when the first test asks for it, tidied away whatever happens."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import psutil
import pytest

from kafka_cluster.script import NEVER_CONTACT_X, refuse_x
from kafka_cluster.settings import load_settings
from native_cluster import NativeCluster, free_offset

# No test, and no process of one, can reach X.
os.environ[NEVER_CONTACT_X] = "1"
refuse_x()

# Examples take as long as they take: the machines that run this are shared.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")

FREE_BYTES_NEEDED = 5 << 30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster", choices=("native", "env"), default="native",
        help="native: start one for the tests (the default); env: use the one that .env names, under names of its own",
    )  # fmt: skip


class Cluster:
    """The servers that the tests use. Only `owned` ones may be killed."""

    def __init__(self, env: dict[str, str], native: NativeCluster | None = None) -> None:
        self.env, self._native = env, native
        self.owned = native is not None
        self.offset = native.offset if native else 0

    def kill(self, name: str) -> None:
        """SIGKILL a server; the test is skipped where it is not ours."""
        self.native.kill(name)

    def start(self, name: str) -> None:
        """Start it again, and wait until it is ready."""
        self.native.start(name)

    def suspend(self, name: str) -> None:
        """Freeze a server."""
        self.native.processes[name].signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        self.native.processes[name].signal(signal.SIGCONT)

    @property
    def native(self) -> NativeCluster:
        """The launcher of our servers; the test is skipped where they are only lent."""
        if self._native is None:
            pytest.skip("needs servers of its own; --cluster=env lends them only")
        return self._native


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster, up and taking writes."""
    if request.config.getoption("--cluster") == "env":
        settings = load_settings()
        yield Cluster({
            "bootstrap_servers": ",".join(settings.bootstrap_servers),
            "elasticsearch_url": settings.elasticsearch_url,
            "elasticsearch_user": settings.elasticsearch_user,
            "elasticsearch_password": settings.elasticsearch_password,
            "webhdfs_url": settings.webhdfs_url,
            "hdfs_user": settings.hdfs_user,
        })  # fmt: skip
        return
    free = psutil.virtual_memory().available
    if free < FREE_BYTES_NEEDED:
        pytest.exit(f"the cluster needs 5 GB of free memory, there are {free / 2**30:.1f}", returncode=2)
    variables = {"elasticsearch_password": os.urandom(12).hex()}
    native = NativeCluster(variables, free_offset(variables))
    # pytest ends on SIGTERM without running fixtures' ends: make it a Ctrl-C, which does
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        native.up()
        yield Cluster(native.environment(), native)
    finally:
        native.down(volumes=True)
        signal.signal(signal.SIGTERM, before)
