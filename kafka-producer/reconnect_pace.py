"""When the stream may be connected again: X's limits and back-offs, apart from clock and network.

All times are seconds since 1970, so that what was noted in one run holds in the next.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

CONNECTS, CONNECT_WINDOW_SECONDS = 45, 900.0  # X allows 50 in 15 minutes
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 320.0
LONGEST_NETWORK_PAUSE_SECONDS = CONNECT_WINDOW_SECONDS / CONNECTS  # so the limit is never reached by these
TOO_MANY_SECONDS = 60.0
STEADY_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a connection ended. `status`: HTTP, 0 without an answer. `ran`: seconds, None if it never was a stream."""

    status: int = 0
    ran: float | None = None
    retry_at: float | None = None
    """When X takes a request again, where it said so."""


class ReconnectPace:
    """Says how long to wait. `connects` and `not_before` are what a next run has to know."""

    def __init__(
        self,
        connects: Iterable[float] = (),
        not_before: float = 0.0,
        first_pause: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self.connects, self.not_before = list(connects), not_before
        self._first_pause = first_pause
        self._failures = self._refusals = 0

    def until_allowed(self, now: float) -> float:
        """Seconds until X takes another connect."""
        self.connects = [at for at in self.connects if now - CONNECT_WINDOW_SECONDS < at <= now]
        full = len(self.connects) >= CONNECTS
        in_window = self.connects[-CONNECTS] + CONNECT_WINDOW_SECONDS - now if full else 0.0
        # X's windows are of 15 minutes: whatever clock or header says, it is not longer
        return max(in_window, min(self.not_before - now, CONNECT_WINDOW_SECONDS), 0.0)

    def connecting(self, now: float) -> None:
        """Count a connect."""
        self.connects.append(now)

    def pause(self, outcome: Outcome, now: float) -> float:
        """Once at once after a stream that ran; then 1, 2, 4 ... 320 s; after a 429 what X says, or 60, 120 ... s."""
        if outcome.status == 429:
            return self._refused(outcome, now)
        self._refusals = 0
        if outcome.ran is not None and (self._failures == 0 or outcome.ran > STEADY_SECONDS):
            self._failures = 1
            return self._first_pause * random.uniform(0.1, 0.5)
        self._failures += 1
        reached = outcome.status or outcome.ran is not None
        longest = LONGEST_PAUSE_SECONDS if reached else LONGEST_NETWORK_PAUSE_SECONDS
        return min(longest, self._first_pause * 2.0 ** min(self._failures - 1, 30)) * random.uniform(0.8, 1.0)

    def _refused(self, outcome: Outcome, now: float) -> float:
        self._failures += 1
        self._refusals += 1
        if outcome.retry_at is not None and outcome.retry_at > now:
            pause = min(outcome.retry_at - now, CONNECT_WINDOW_SECONDS) + random.uniform(0, 1)
        else:
            pause = min(LONGEST_PAUSE_SECONDS, TOO_MANY_SECONDS * 2.0 ** min(self._refusals - 1, 30))
        self.not_before = now + pause
        return pause
