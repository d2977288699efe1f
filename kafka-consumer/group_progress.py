"""What a consumer process has done so far, and how it says so."""

import logging

from sink import Written

log = logging.getLogger(__name__)

REPORT_SECONDS = 5.0


class GroupProgress:
    """Of one process of the group `name`. `verb`: what it does to a new record. `again`: all are read once more."""

    def __init__(self, name: str, verb: str, again: bool, now: float) -> None:
        self._name, self._verb, self._again = name, verb, again
        self._reported_at, self._reported = now, 0
        self.written, self.restarts = Written(), 0

    def report(self, now: float, lag: int) -> None:
        """Log what came since the last report: every 5 s, and nothing while nothing comes."""
        seconds, total = now - self._reported_at, self.written.total
        if seconds < REPORT_SECONDS or total == self._reported:
            return
        rate = (total - self._reported) / seconds
        log.info("%s: %s, %s/s, lag %s", self._name, self.summary(), f"{rate:,.0f}", f"{lag:,}")
        self._reported_at, self._reported = now, total

    def summary(self) -> str:
        """All of it, in words."""
        written = self.written
        if self._again:
            text = f"read again {written.total:,}: {written.new:,} new, {written.existing:,} already there"
        else:
            text = f"{written.new:,} {self._verb}, {written.existing:,} already there"
        text += f", {written.dead:,} dead letters" if written.dead else ""
        return text + (f", {written.forgotten:,} forgotten" if written.forgotten else "")
