"""The filtered stream by tweepy, made safe: raw lines, nothing raised while reading, reconnects at our own pace.

Stock tweepy ends for good at any exception while reading, reconnects without a pause when X closes the stream, and
tries 401, 403 and 409 for ever. Here it connects once; what happens then is decided by `StreamReader`.
"""

import logging
import random
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import requests
import tweepy

from kafka_cluster.message import timestamp
from x_session import X_URL, RedirectingAdapter, in_words

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 << 10
STALL_SECONDS = 21  # X sends an empty line at least every 20 s
CONNECTS, CONNECT_WINDOW_SECONDS = 45, 900.0  # X allows 50 in 15 minutes
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 320.0
TOO_MANY_SECONDS = 60.0
STEADY_SECONDS = 10.0
FATAL = {
    401: "check api_key and api_secret in .env",
    402: "the account has no credit left: see the developer portal",
    403: "the app may not read this stream: see its project and access level in the developer portal",
    409: "the stream has no rules: check rules_file",
}
FIELDS = {
    "tweet.fields": (
        "id,text,author_id,created_at,lang,conversation_id,in_reply_to_user_id,referenced_tweets,entities,geo,"
        "public_metrics,possibly_sensitive,edit_history_tweet_ids,note_tweet"
    ),
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id,geo.place_id",
    "user.fields": "id,name,username,created_at,public_metrics,verified,verified_type",
    "place.fields": "id,full_name,name,country,country_code,place_type,geo",
}


@dataclass
class Gap:
    """A stretch without a connection, in which X's tweets were not heard."""

    since: str
    reason: str
    until: str | None = None


class Connection(tweepy.StreamingClient):
    """One connection; every line goes to the queue as it came. Never reconnects by itself."""

    def __init__(
        self, token: str, url: str, lines: "SimpleQueue[bytes]", quiet: float = STALL_SECONDS
    ) -> None:
        super().__init__(token, chunk_size=CHUNK_BYTES)
        self._lines, self._quiet = lines, quiet
        self._adapter = _SocketKeeper(url)
        self.session.mount(X_URL, self._adapter)
        self.opened_at: float | None = None
        self.status = 0
        self.reason = "the connection was lost"

    def read(self) -> None:
        """Connect and read until the stream ends, for whatever reason; raises nothing."""
        self._connect("GET", "search", params=FIELDS, timeout=self._quiet)

    def stop(self) -> None:
        """End it now, from another thread: the socket is closed under the reader."""
        self.running = False
        self._adapter.shut()

    # what tweepy calls; none of these may raise

    def on_data(self, raw_data: bytes) -> None:
        self._lines.put(raw_data)

    def on_connect(self) -> None:
        self.opened_at = time.monotonic()
        log.info("connected to the stream")

    def on_closed(self, response: Any) -> None:
        self.reason, self.running = "the stream was closed", False

    def on_connection_error(self) -> None:
        if self.opened_at:
            self.reason = f"the connection was lost, or silent for {self._quiet:.0f} s"
        self.running = False

    def on_request_error(self, status_code: int) -> None:
        self.status, self.running = status_code, False
        self.reason = f"HTTP {status_code}: {self._adapter.last_words()}"

    def on_exception(self, exception: Exception) -> None:
        self.reason = f"{type(exception).__name__}"

    def on_disconnect(self) -> None:
        self.running = False

    def on_keep_alive(self) -> None:
        pass

    @property
    def retry_at(self) -> float | None:
        """Seconds from now at which X takes a request again, where it said so."""
        reset = self._adapter.headers.get("x-rate-limit-reset", "")
        return max(0.0, int(reset) - time.time()) if reset.isdigit() else None


class _SocketKeeper(RedirectingAdapter):
    """Keeps the answer, so that its socket can be closed from another thread; sends one request only."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._response: requests.Response | None = None
        self.headers: dict[str, str] = {}

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        if self._response is not None:  # tweepy's loop would go round again, without a pause
            raise requests.ConnectionError("one connection each")
        response = self._response = super().send(request, *args, **options)
        self.headers = {key.lower(): value for key, value in response.headers.items()}
        return response

    def shut(self) -> None:
        connection = getattr(getattr(self._response, "raw", None), "connection", None)
        sock = getattr(connection, "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def last_words(self) -> str:
        try:
            return in_words(self._response.json()) if self._response is not None else ""
        except (ValueError, requests.RequestException):
            return ""


@dataclass
class StreamReader:
    """Reads the stream in a thread of its own, reconnecting at a pace that X takes; `lines` holds what came."""

    token: str
    url: str = X_URL
    quiet_seconds: float = STALL_SECONDS
    first_pause: float = FIRST_PAUSE_SECONDS
    lines: "SimpleQueue[bytes]" = field(default_factory=SimpleQueue)
    gaps: list[Gap] = field(default_factory=list)
    connects: int = 0
    fatal: str | None = None
    """Why there will be no further connection; a person is needed."""

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._connection: Connection | None = None
        self._recent: deque[float] = deque()
        self._thread = threading.Thread(target=self._run, name="x-stream", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Close the connection and wait for the thread, 2 s at most."""
        self._stop.set()
        if self._connection:
            self._connection.stop()
        self._thread.join(timeout=2)

    @property
    def alive(self) -> bool:
        """False when there is nothing more to come."""
        return self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(max(pause, self._until_allowed())):
            self._recent.append(time.monotonic())
            self.connects += 1
            connection = self._connection = Connection(self.token, self.url, self.lines, self.quiet_seconds)
            if self.gaps and self.gaps[-1].until is None:
                connection.on_connect = self._close_gap(connection)  # type: ignore[method-assign]
            if self._stop.is_set():
                return
            connection.read()
            if self._stop.is_set():
                return
            if connection.status in FATAL:
                self.fatal = f"X refuses the stream ({connection.reason}): {FATAL[connection.status]}"
                return
            self._note_gap(connection.reason)
            pause = self._pause(connection, pause)
            log.warning("%s; connecting again in %.1f s", connection.reason, pause)

    def _close_gap(self, connection: Connection) -> Any:
        def on_connect() -> None:
            Connection.on_connect(connection)
            self.gaps[-1].until = timestamp()

        return on_connect

    def _note_gap(self, reason: str) -> None:
        if not self.gaps or self.gaps[-1].until is not None:
            self.gaps.append(Gap(timestamp(), reason))

    def _pause(self, connection: Connection, before: float) -> float:
        """Once at once after a stream that ran; then 1, 2, 4 ... 320 s; what X says, or 60 s, after a 429."""
        if connection.status == 429:
            return max(
                TOO_MANY_SECONDS if connection.retry_at is None else connection.retry_at, self.first_pause
            )
        ran = time.monotonic() - connection.opened_at if connection.opened_at else 0.0
        if connection.opened_at and (before == 0.0 or ran > STEADY_SECONDS):
            return self.first_pause * random.uniform(0.1, 0.5)
        return min(LONGEST_PAUSE_SECONDS, max(self.first_pause, before * 2)) * random.uniform(0.8, 1.0)

    def _until_allowed(self) -> float:
        """Seconds until another connect is within X's limit."""
        now = time.monotonic()
        while self._recent and now - self._recent[0] > CONNECT_WINDOW_SECONDS:
            self._recent.popleft()
        if len(self._recent) < CONNECTS:
            return 0.0
        return CONNECT_WINDOW_SECONDS - (now - self._recent[0])
