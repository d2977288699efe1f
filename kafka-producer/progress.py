"""How far we are: one line that is written again on a terminal, a log line now and then elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

from kafka_cluster.script import logs_json

log = logging.getLogger(__name__)

TERMINAL_SECONDS, PLAIN_SECONDS = 0.25, 5.0


class Progress:
    """Shows counts and the rate since the last time. `more` gives the rest of the line."""

    def __init__(self, more: Callable[[], str] = lambda: "", out: TextIO | None = None) -> None:
        out = out or sys.stderr
        self._more, self._out = more, out
        self._logs_json = logs_json()
        self._terminal = out.isatty() and not self._logs_json
        self._every = TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS
        self._shown_at, self._shown = time.monotonic(), 0
        self._width = 0

    def show(self, counts: object) -> None:
        """Show the counts, if it is time to. `counts` has `read`, and says the rest by its str()."""
        now = time.monotonic()
        if now - self._shown_at < self._every:
            return
        read = counts.read  # type: ignore[attr-defined]
        text = f"{counts}; {(read - self._shown) / (now - self._shown_at):,.0f}/s{self._more()}"
        self._shown_at, self._shown = now, read
        if self._logs_json:
            log.info("%s", text)
        elif self._terminal:
            self._write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._write(text + "\n")

    def end(self) -> None:
        """Leave the line."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")

    def _write(self, text: str) -> None:
        # on a full disk, or where nobody reads it any more: no reason to end
        with contextlib.suppress(OSError, ValueError):
            self._out.write(text)
            self._out.flush()
