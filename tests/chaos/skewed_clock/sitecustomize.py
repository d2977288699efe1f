"""Loaded by a Python that finds this folder in PYTHONPATH: its clock is wrong by `skew_seconds`.

libfaketime breaks the sleeps of Python 3.11 and the JVM; the monotonic clock is left alone, as a wrong date leaves it.
"""

import datetime
import os
import time

SKEW = datetime.timedelta(seconds=float(os.environ["skew_seconds"]))
right_time, right_datetime = time.time, datetime.datetime


class SkewedDatetime(right_datetime):
    """A datetime that believes in another day."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "SkewedDatetime":
        return super().now(tz) + SKEW  # type: ignore[return-value]


time.time = lambda: right_time() + SKEW.total_seconds()
datetime.datetime = SkewedDatetime  # type: ignore[misc]
