"""WebHDFS as group B needs it: clear answers, time-outs, and requests that are sent once."""

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

import hdfs
from hdfs.client import _Request
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from hdfs_session import HdfsSession
from kafka_cluster.settings import Settings

CONNECT_SECONDS, READ_SECONDS = 3.05, 20.0
LOOK_SECONDS = 5.0  # of several NameNodes a frozen one must not hold us up
NOT_ACTIVE = ("StandbyException", "RetriableException")  # a standby; one that is starting
RETRY_SECONDS = 20.0  # a dead DataNode is handed out until its heartbeat is 3 s old


NO_ANSWER = (hdfs.HdfsError, RequestException, HTTPError)
"""What a request may raise. The last one: a body whose DataNode dies while it is read, which `hdfs` does not wrap."""


class NotYes(Exception):
    """A NameNode's answer that is not a clear yes."""


class HdfsClient(hdfs.InsecureClient):
    """The client of the active NameNode. `hdfs` knows of one only: with several it sends a request again by itself."""

    _concat = _Request("POST")  # `hdfs` 2.7.3 has none of these
    _getfileblocklocations = _Request("GET")

    def __init__(self, settings: Settings, read_seconds: float = READ_SECONDS) -> None:
        self._namenodes = settings.webhdfs_url.split(",")
        self._active: str | None = None
        super().__init__(
            self._namenodes[0], user=settings.hdfs_user, session=HdfsSession(settings),
            timeout=(CONNECT_SECONDS, read_seconds),
        )  # fmt: skip

    def _request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request, once, where it names the first NameNode to the one that is active.

        Which one is, is asked before the first request and again after one that failed: that one stays failed, since
        it may be done, and only its answer lost.
        """
        path = url.removeprefix(self.url)
        if len(self._namenodes) == 1 or path == url:
            return super()._request(method, url, **options)
        active = self._active = self._active or self._find_active()
        try:
            answer = super()._request(method, active + path, **options)
        except RequestException:
            self._active = None
            raise
        if not answer.ok and any(name in answer.text for name in NOT_ACTIVE):
            self._active = None
        return answer

    def _find_active(self) -> str:
        """The address of the NameNode that answers a read. Raises HdfsError where none does."""
        said = []
        for url in self._namenodes:
            try:
                read, seconds = {"op": "GETFILESTATUS"}, (CONNECT_SECONDS, LOOK_SECONDS)
                answer = self._session.get(f"{url}/webhdfs/v1/", params=read, timeout=seconds)
            except RequestException as error:
                said.append(f"{url} {type(error).__name__}")
                continue
            if answer.ok:
                return url
            known = [name for name in NOT_ACTIVE if name in answer.text]
            said.append(f"{url} {known or answer.status_code}")
        raise hdfs.HdfsError("no NameNode is active: " + ", ".join(said))

    def folder(self, path: str) -> dict[str, dict]:
        """Name -> FileStatus of what a folder holds; {} where there is no such folder.

        Only FileNotFoundException means empty: a NameNode that is starting must not look like an empty archive.
        """
        try:
            return dict(self.list(path, status=True))
        except hdfs.HdfsError as error:
            if error.exception != "FileNotFoundException":
                raise
            return {}

    def exists(self, path: str) -> bool:
        """True if there is such a file or folder; raises where that is not known."""
        try:
            self.status(path)
        except hdfs.HdfsError as error:
            if error.exception != "FileNotFoundException":
                raise
            return False
        return True

    def make_folder(self, path: str) -> None:
        """MKDIRS, sent once. Raises NotYes, or what the request raised."""
        self._yes("MKDIRS", self._mkdirs(path))

    def stage(self, parent: str, name: str, body: bytes) -> str:
        """CREATE a fresh folder that holds one file; returns the folder. Repeated, each time under a fresh name."""

        def create() -> str:
            folder = f"{parent}/{uuid.uuid4().hex}"
            self.write(f"{folder}/{name}", data=body, overwrite=False)
            return folder

        return persistently(create)

    def move(self, source: str, target: str) -> None:
        """RENAME, sent once. Raises NotYes where the answer is false."""
        self._yes("RENAME", self._rename(source, destination=target))

    def replace(self, source: str, target: str) -> None:
        """RENAME with OVERWRITE, sent once: in one step the file stands in the place of that other file.

        Its parents must be there, and nothing is ever moved inside a folder. Raises what the request raised.
        """
        self._rename(source, destination=target, renameoptions="OVERWRITE")

    def join(self, target: str, sources: list[str]) -> None:
        """CONCAT: append the sources, of the same folder, to the target, in order; they are gone afterwards."""
        self._concat(target, sources=",".join(sources))

    def blocks(self, path: str) -> int:
        """How many blocks a file has. Raises what HDFS raises."""
        return len(self._getfileblocklocations(path).json()["BlockLocations"]["BlockLocation"])

    def discard(self, path: str, recursive: bool = False) -> None:
        """Delete a file or an empty folder, if it can be done: only for what nobody will miss."""
        with contextlib.suppress(hdfs.HdfsError, RequestException):
            self.delete(path, recursive=recursive)

    def read_end(self, path: str, length: int, size: int) -> bytes:
        """The last `length` bytes of a file of `size` bytes; tried again where a DataNode has just died."""

        def read() -> bytes:
            with self.read(path, offset=max(0, size - length), length=min(length, size)) as reader:
                return reader.read()

        return persistently(read)

    @staticmethod
    def _yes(step: str, response: Any) -> None:
        if response.json().get("boolean") is not True:
            raise NotYes(f"{step}: the answer is false")


def persistently(attempt: Callable[[], Any]) -> Any:
    """Call until it works, for 20 s at most. Only for what may safely be repeated."""
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            return attempt()
        except NO_ANSWER:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
