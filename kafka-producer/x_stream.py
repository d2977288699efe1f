"""The filtered stream by tweepy, made safe: raw lines, nothing raised while reading, reconnects at our own pace.

Stock tweepy ends for good at any exception while reading, reconnects without a pause when X closes the stream, and
tries 401, 403 and 409 for ever. Here it connects once; what happens then is decided by `StreamReader`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue

from kafka_cluster.message import timestamp
from kafka_cluster.script import UserError
from reconnect_pace import FIRST_PAUSE_SECONDS, ReconnectPace
from state_file import StateFile
from stream_gap import Gap, newest_id
from x_connection import STALL_SECONDS, Connection
from x_session import X_URL

log = logging.getLogger(__name__)

CONNECTED_STOP_SECONDS, CONNECTING_STOP_SECONDS = 1.0, 0.2


@dataclass
class StreamReader:
    """Reads the stream in a thread of its own, reconnecting at a pace that X takes; `lines` holds what came.

    `state`: where connects are noted, so that X's limit holds over restarts. `fill`: gaps may be filled later.
    `now`, `wait`: the clock (seconds since 1970), and a pause that says True when it is time to end.
    """

    token: str
    url: str = X_URL
    quiet_seconds: float = STALL_SECONDS
    first_pause: float = FIRST_PAUSE_SECONDS
    fill: bool = False
    state: StateFile | None = None
    now: Callable[[], float] = time.time
    wait: Callable[[float], bool] | None = None
    lines: "SimpleQueue[bytes]" = field(default_factory=SimpleQueue)
    gaps: list[Gap] = field(default_factory=list)
    connects: int = 0
    fatal: str | None = None
    """Why there will be no further connection; a person is needed."""

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._wait = self.wait or self._stop.wait
        self._connection: Connection | None = None
        self._forgetful = False
        self._last: deque[bytes] = deque(maxlen=20)
        known = self.state.get("connects") if self.state else None
        not_before = self.state.get("not_before") if self.state else None
        self._pace = ReconnectPace(known or (), not_before or 0.0, self.first_pause)
        self._thread = threading.Thread(target=self._run, name="x-stream", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Close the connection and wait for the thread, 1 s at most; one that still connects is left to itself."""
        self._stop.set()
        connection = self._connection
        if connection:
            connection.stop()
        connected = connection and connection.opened_at
        self._thread.join(CONNECTED_STOP_SECONDS if connected else CONNECTING_STOP_SECONDS)

    @property
    def alive(self) -> bool:
        """False when there is nothing more to come."""
        return self._thread.is_alive()

    @property
    def connected(self) -> bool:
        """True while the stream is open."""
        in_gap = bool(self.gaps) and self.gaps[-1].until is None
        return self.alive and not in_gap and bool(self._connection and self._connection.opened_at)

    def _run(self) -> None:
        try:
            self._read_on()
        except Exception as error:  # else a run would end as if all were well
            log.debug("the reader", exc_info=True)
            self.fatal = f"reading the stream failed: {type(error).__name__}: {error}"

    def _read_on(self) -> None:
        pause = 0.0
        while not self._paused(pause):
            connection = self._connect()
            connection.read()
            if self._stop.is_set():
                return
            if connection.refusal:
                self.fatal = connection.refusal
                return
            self._note_gap(connection)
            pause = self._pace.pause(connection.outcome(), self.now())
            self._remember()
            log.warning("%s; connecting again in %.1f s", connection.reason, pause)

    def _paused(self, seconds: float) -> bool:
        """Wait, also for X's limit; True when it is time to end."""
        allowed = self._pace.until_allowed(self.now())
        if allowed > max(seconds, 1.0):
            log.warning("X takes the next connect in %.0f s", allowed)
        return self._wait(max(seconds, allowed))

    def _connect(self) -> Connection:
        self._pace.connecting(self.now())
        self._remember()  # before it is done: a kill must not hide it
        self.connects += 1
        self._connection = Connection(
            self.token, self.url, self.lines, self._last, self._close_gap, self.quiet_seconds
        )
        if self._stop.is_set():
            self._connection.stop()
        return self._connection

    def _remember(self) -> None:
        if not self.state:
            return
        try:
            self.state.put("connects", self._pace.connects)
            self.state.put("not_before", self._pace.not_before)
            self._forgetful = False
        except UserError as error:  # a full disk; this run knows them all the same
            if not self._forgetful:
                log.warning("%s: a next run would not know of these connects", error)
            self._forgetful = True

    def _close_gap(self) -> None:
        if self.gaps and self.gaps[-1].until is None:
            self.gaps[-1].until = timestamp()

    def _note_gap(self, connection: Connection) -> None:
        if self.gaps and self.gaps[-1].until is None:
            return
        since = datetime.fromtimestamp(connection.heard_at, UTC) if connection.silent else None
        filled = None if self.fill else False
        self.gaps.append(Gap(timestamp(since), connection.reason, None, newest_id(self._last), filled))
