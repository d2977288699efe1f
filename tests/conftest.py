"""The one cluster of a test session: started when the first test asks for it, tidied away whatever happens."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import hypothesis
import psutil
import pytest

from clusters import ELSEWHERE, PASSWORDS
from compose_cluster import ComposeCluster
from docker_containers import is_running
from kafka_cluster.script import NEVER_CONTACT_X, refuse_x
from kafka_cluster.settings import ELASTICSEARCH_USERS, env_file_values, load_settings
from native_cluster import NativeCluster, free_offset
from pipeline import Pipeline

# No test, and no process of one, can reach X.
os.environ[NEVER_CONTACT_X] = "1"
refuse_x()

# Examples take as long as they take: the machines that run this are shared.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")

FREE_BYTES_NEEDED = 5 << 30
Disks = Callable[[NativeCluster], AbstractContextManager[object]]
NO_USERS = dict.fromkeys(ELASTICSEARCH_USERS.values(), "")
"""Where servers are only lent, the rights of Elasticsearch's users are for other names than the tests'."""
RIGHTS_FOR = {"elasticsearch_alias": "test", "events_index": "events"}
"""What the names of each `Pipeline` begin with; known to every `up`, which writes the rights anew."""
TEST_PROJECT = "tweets-test"
"""Compose's name for containers and volumes that are the tests' own."""


def end_once(*_: object) -> None:
    """A second one, from run.py to which it was sent too, must not cut short the fixtures' ends."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_collection_finish() -> None:
    """A script that is imported lets Ctrl-C end the process at once, until its main runs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster", choices=("native", "docker", "env"), default="native",
        help="native: start one for the tests (the default); docker: the one in containers, started if it does not "
        "run, and its servers are killed too; env: use the one that .env names, under names of its own",
    )  # fmt: skip


class Cluster:
    """The servers that the tests use: those of a launcher, or, without one, only lent, and not to be killed."""

    def __init__(
        self, env: dict[str, str], native: NativeCluster | None = None, docker: ComposeCluster | None = None
    ) -> None:
        self.env, self._native, self._docker = env, native, docker
        self.offset = native.offset if native else 0

    def kill(self, name: str) -> None:
        """SIGKILL a server; the test is skipped where it is not ours."""
        self.launcher.kill(name)

    def start(self, name: str) -> None:
        """Start it again, and wait until it is ready."""
        self.launcher.start(name)

    def suspend(self, name: str) -> None:
        """Freeze a server."""
        if self._docker:
            self._docker.pause(name)
        else:
            self.native.processes[name].signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        if self._docker:
            self._docker.unpause(name)
        else:
            self.native.processes[name].signal(signal.SIGCONT)

    @property
    def launcher(self) -> NativeCluster | ComposeCluster:
        """What started our servers; the test is skipped where they are only lent."""
        found = self._docker or self._native
        if found is None:
            pytest.skip("needs servers of its own; --cluster=env lends them only")
        return found

    @property
    def native(self) -> NativeCluster:
        """The launcher of servers as processes; the test is skipped where they are none."""
        if self._native is None:
            pytest.skip("needs servers as processes, --cluster=native")
        return self._native

    @property
    def docker(self) -> ComposeCluster:
        """The launcher of servers in containers; the test is skipped where they are none."""
        if self._docker is None:
            pytest.skip("needs servers in containers, --cluster=docker")
        return self._docker


@pytest.fixture(scope="session")
def disks() -> Disks:
    """What a native cluster's servers find below their data: nothing special, unless a folder's tests want it."""
    return lambda _: contextlib.nullcontext()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, disks: Disks) -> Iterator[Cluster]:
    """The cluster, up and taking writes."""
    kind = {"native": partial(native_cluster, disks), "docker": docker_cluster, "env": lent_cluster}
    # pytest ends on SIGTERM without running fixtures' ends: make it a Ctrl-C, which does
    before = signal.signal(signal.SIGTERM, end_once)
    with kind[request.config.getoption("--cluster")]() as found:
        yield found
    signal.signal(signal.SIGTERM, before)


def cluster_variables() -> dict[str, str]:
    """Passwords, and the names that the rights of Elasticsearch's users are for."""
    return {name: os.urandom(12).hex() for name in PASSWORDS} | RIGHTS_FOR


@contextmanager
def native_cluster(disks: Disks) -> Iterator[Cluster]:
    """Servers as processes, on free ports, gone afterwards."""
    free = psutil.virtual_memory().available
    if free < FREE_BYTES_NEEDED:
        pytest.exit(f"the cluster needs 5 GB of free memory, there are {free / 2**30:.1f}", returncode=2)
    variables = cluster_variables()
    native = NativeCluster(variables, free_offset(variables))
    try:
        with disks(native):
            try:
                native.up()
                yield Cluster(native.environment() | RIGHTS_FOR, native)
            finally:
                native.down()
    finally:
        native.down(volumes=True)


@contextmanager
def docker_cluster() -> Iterator[Cluster]:
    """The containers that run, left as they are; else new ones with volumes of their own, gone afterwards."""
    if is_running():
        docker = ComposeCluster(env_file_values() | dict(os.environ))
        docker.up()
        yield Cluster(docker.environment() | NO_USERS, docker=docker)
        return
    variables = env_file_values() | dict(os.environ) | cluster_variables()
    docker = ComposeCluster(variables, project=TEST_PROJECT)
    try:
        docker.up()
        yield Cluster(docker.environment() | RIGHTS_FOR, docker=docker)
    finally:
        docker.down(volumes=True)


@contextmanager
def lent_cluster() -> Iterator[Cluster]:
    """The servers that .env names."""
    settings, given = load_settings(), env_file_values() | dict(os.environ)
    names = (*ELSEWHERE, "kafka_sasl_mechanism", "webhdfs_datanodes")
    yield Cluster({name: given[name] for name in names if given.get(name)} | {
        "bootstrap_servers": ",".join(settings.bootstrap_servers),
        "elasticsearch_url": settings.elasticsearch_url,
        "elasticsearch_user": settings.elasticsearch_user,
        "elasticsearch_password": settings.elasticsearch_password,
        "webhdfs_url": settings.webhdfs_url,
        "hdfs_user": settings.hdfs_user,
    } | NO_USERS)  # fmt: skip


@pytest.fixture
def pipeline(cluster: Cluster, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline of the test's own on the one cluster of the session, removed afterwards."""
    pipeline = Pipeline(cluster.env, tmp_path)
    try:
        yield pipeline
    finally:
        pipeline.tidy()
