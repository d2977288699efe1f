"""The list of what was forgotten, in HDFS beside the archive: what is on it comes back from nowhere.

A folder of small files, each written whole and renamed into place, so that a run that dies leaves all of its entry or
nothing. Entries are only added.
"""

import contextlib
import logging
import threading
import uuid
from itertools import chain
from typing import Any

import hdfs
from requests.exceptions import RequestException

from forgotten_posts import Forgotten, entry, from_entries
from hdfs_archive import staging_folder
from hdfs_client import NO_ANSWER, READ_SECONDS, HdfsClient, persistently
from kafka_cluster.message import timestamp
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
FILES_TO_JOIN = 64
LISTINGS = 5  # files may be joined while we read: then list again


class ForgottenList:
    """Reads the list, and remembers it; may be used from any thread."""

    def __init__(self, settings: Settings, read_seconds: float = READ_SECONDS, required: bool = True) -> None:
        """`read_seconds`: how long to wait for a NameNode that is frozen. `required`: see `recent`."""
        self._client = HdfsClient(settings, read_seconds)
        self.folder = forgotten_folder(settings.hdfs_root)
        self._staging = staging_folder(settings.hdfs_root)
        self._required = required
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._closing = threading.Event()
        self._follower: threading.Thread | None = None
        self._listing: dict[str, Any] | None = None
        self._known = Forgotten()

    def now(self) -> Forgotten:
        """The list as it is now. Raises what HDFS raises."""
        with self._lock:
            return self._refresh()

    def recent(self) -> Forgotten:
        """The list as it was some 2 s ago: a thread looks again and again from the first call on.

        While HDFS is away, as it was last seen: nothing can come onto it meanwhile. Where it was never seen: empty, or
        an error where it is required.
        """
        if self._follower is None:
            self._first_look()
        return self._known

    def close(self) -> None:
        """Look no more."""
        self._closing.set()

    def _first_look(self) -> None:
        with self._starting:
            if self._follower:
                return
            try:
                self.now()
            except (*NO_ANSWER, UserError) as error:
                why = f"the list of what was forgotten can't be read from HDFS yet ({type(error).__name__}: {error})"
                if self._required:
                    raise error if isinstance(error, UserError) else hdfs.HdfsError(why) from None
                log.warning("%s: tweets are taken all the same", why)
            self._follower = threading.Thread(target=self._follow, daemon=True, name="forgotten list")
            self._follower.start()

    def _follow(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            try:
                self.now()
            except Exception as error:
                log.debug("the list of what was forgotten: %s; as it was last seen", error)

    def add(self, posts: list[str], users: list[str]) -> tuple[list[str], list[str]]:
        """Put on the list what is not there yet; returns that. When it returns, all of it is on the list."""
        fresh = self.now().fresh(posts, users)
        if any(fresh):
            name, body = f"{uuid.uuid4().hex}.jsonl", entry(*fresh, timestamp())
            staged = self._client.stage(self._staging, name, body)
            self._client.make_folder(self.folder)
            self._client.move(f"{staged}/{name}", f"{self.folder}/{name}")
            self._client.discard(staged)
            self._join()
        return fresh

    def _refresh(self) -> Forgotten:
        for _ in range(LISTINGS):
            names = self._client.folder(self.folder)
            listing = {name: status["length"] for name, status in names.items()}
            if listing == self._listing:
                return self._known
            with contextlib.suppress(_Joined):
                lines = list(chain.from_iterable(map(self._lines, sorted(listing))))
                self._known, self._listing = self._understood(lines), listing
                return self._known
        raise hdfs.HdfsError(f"{self.folder} changed again and again while it was read")

    def _lines(self, name: str) -> list[bytes]:
        def read() -> bytes:
            try:
                with self._client.read(f"{self.folder}/{name}") as reader:
                    return reader.read()
            except hdfs.HdfsError as error:
                if error.exception == "FileNotFoundException":
                    raise _Joined from None
                raise

        return persistently(read).splitlines()

    def _understood(self, lines: list[bytes]) -> Forgotten:
        try:
            return from_entries(lines)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.folder} holds what is no list of posts and users: {error}") from None

    def _join(self) -> None:
        """Many runs leave many files: CONCAT makes them one. It only tidies up."""
        first, *others = sorted(self._client.folder(self.folder))
        if len(others) + 1 >= FILES_TO_JOIN:
            with contextlib.suppress(hdfs.HdfsError, RequestException):
                self._client.join(f"{self.folder}/{first}", [f"{self.folder}/{name}" for name in others])


class _Joined(Exception):
    """A file of the list is no longer there: another run has joined it."""


def forgotten_folder(hdfs_root: str) -> str:
    """Where the list is: for all topics below this root."""
    return f"{hdfs_root}/_forgotten"
