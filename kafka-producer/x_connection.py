"""One connection to the filtered stream, by tweepy: raw lines into a queue, nothing raised, no second try."""

import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import orjson
import requests
import tweepy

from reconnect_pace import Outcome
from x_session import X_URL, RedirectingAdapter, body_of, in_words, refusal, retry_at

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 << 10
CONNECT_SECONDS = 10.0
STALL_SECONDS = 21.0  # X sends an empty line at least every 20 s
MOST_LINES, ROOM_SECONDS = 100_000, 0.05
"""Lines that may wait for the rest of the producer: about 160 MB, or seven minutes of the most that X sends."""
FIELDS = {
    "tweet.fields": (
        "id,text,author_id,created_at,lang,conversation_id,in_reply_to_user_id,referenced_tweets,entities,geo,"
        "public_metrics,possibly_sensitive,edit_history_tweet_ids,note_tweet"
    ),
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id,geo.place_id",
    "user.fields": "id,name,username,created_at,public_metrics,verified,verified_type",
    "place.fields": "id,full_name,name,country,country_code,place_type,geo",
}


class Connection(tweepy.StreamingClient):
    """One connection; every line goes to the queue as it came. Never reconnects by itself.

    `last`: the latest lines, for whoever wants to know where the stream broke off.
    """

    def __init__(
        self, token: str, url: str, lines: "SimpleQueue[bytes]", last: "deque[bytes]",
        opened: Callable[[], None], quiet: float = STALL_SECONDS,
    ) -> None:  # fmt: skip
        super().__init__(token, chunk_size=CHUNK_BYTES)
        self._lines, self._last, self._opened, self._quiet = lines, last, opened, quiet
        self._adapter = _SocketKeeper(url)
        self.session.mount(X_URL, self._adapter)
        self.opened_at: float | None = None
        self.heard_at = time.time()
        self.silent = False
        self._latest = b""
        self.status = 0
        self.reason = "X could not be reached"
        self.refusal: str | None = None

    def read(self) -> None:
        """Connect and read until the stream ends, for whatever reason; raises nothing."""
        timeouts = (min(CONNECT_SECONDS, self._quiet), self._quiet)
        self._connect("GET", "search", params=FIELDS, timeout=timeouts)

    def stop(self) -> None:
        """End it now, from another thread: the socket is closed under the reader."""
        self.running = False
        self._adapter.shut()

    def outcome(self) -> Outcome:
        """How it ended."""
        ran = None if self.opened_at is None else time.monotonic() - self.opened_at
        answer = self._adapter.response
        return Outcome(self.status, ran, retry_at(answer) if answer is not None else None)

    # what tweepy calls; none of these may raise

    def on_data(self, raw_data: bytes) -> None:
        while self._lines.qsize() >= MOST_LINES and self.running:
            time.sleep(ROOM_SECONDS)  # X may find us slow and end the stream: a gap, not memory without end
        self._lines.put(raw_data)
        self._last.append(raw_data)
        self._latest = raw_data
        self.heard_at = time.time()

    def on_keep_alive(self) -> None:
        self.heard_at = time.time()

    def on_connect(self) -> None:
        self.opened_at, self.heard_at = time.monotonic(), time.time()
        self._opened()
        log.info("connected to the stream")

    def on_closed(self, response: Any) -> None:
        self.reason, self.running = last_words(self._latest) or "the stream was closed", False

    def on_connection_error(self) -> None:
        if self.opened_at:
            self.silent = True
            self.reason = f"the connection was lost, or silent for {self._quiet:.0f} s"
        self.running = False

    def on_request_error(self, status_code: int) -> None:
        self.status, self.running = status_code, False
        answer = self._adapter.response
        self.reason = f"HTTP {status_code}"
        if answer is not None:
            told = refusal("the stream", answer)
            self.refusal = str(told) if told else None
            self.reason += f": {in_words(body_of(answer))}"

    def on_exception(self, exception: Exception) -> None:
        self.reason = f"{type(exception).__name__}"

    def on_disconnect(self) -> None:
        self.running = False


class _SocketKeeper(RedirectingAdapter):
    """Keeps the answer, so that its socket can be closed from another thread; sends one request only."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.response: requests.Response | None = None
        self._ended = False

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        if self.response is not None or self._ended:  # tweepy's loop would go round again, without a pause
            raise requests.ConnectionError("one connection each")
        response = self.response = super().send(request, *args, **options)
        if self._ended:  # while it was connecting
            self.shut()
            response.close()
            raise requests.ConnectionError("it was stopped")
        return response

    def shut(self) -> None:
        self._ended = True
        connection = getattr(getattr(self.response, "raw", None), "connection", None)
        sock = getattr(connection, "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def last_words(line: bytes) -> str | None:
    """What X said at the end, if it said something: {"errors":[{"title":"operational-disconnect", ...}]}."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    control = isinstance(message, dict) and "data" not in message
    return f"X ended the stream: {in_words(message)}" if control else None
