"""Time ranges as Kibana writes them (now-15m, now/d, an ISO time), and the width of buckets that suits one."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from kafka_cluster.script import UserError

UNITS = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1), "M": timedelta(days=30), "y": timedelta(days=365),
}  # fmt: skip
# Kibana's "auto": about 50 buckets. A bucket is as wide as the last of these whose bound is not below 1/50 of the
# range; with more than 100 buckets, the next wider.
BOUNDS = [
    (0.5, "100ms"), (5, "1s"), (7.5, "5s"), (15, "10s"), (45, "30s"), (180, "1m"), (540, "5m"), (1200, "10m"),
    (2700, "30m"), (7200, "1h"), (21_600, "3h"), (86_400, "12h"), (604_800, "1d"), (1_814_400, "1w"),
]  # fmt: skip
TARGET_BUCKETS, MOST_BUCKETS = 50, 100
YEARS = range(1970, 9999)
"""Tweets are in them, and a day more or less, of a time zone, is still a date."""


@dataclass(frozen=True)
class Window:
    """A time range, both ends in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def before(self, shift: timedelta) -> "Window":
        """The window as long ago as `shift`. Raises UserError where there is no such date."""
        try:
            return Window(self.start - shift, self.end - shift)
        except OverflowError:
            raise UserError(
                f"there is no time {shift.days:,} days before {self.start:%Y-%m-%d %H:%M} UTC: "
                "give a shorter time range"
            ) from None


def window(since: str, until: str, now: datetime, zone: ZoneInfo) -> Window:
    """From `since` to `until`. Raises UserError where one can't be read, or nothing lies between."""
    start, end = moment(since, now, zone), moment(until, now, zone, end=True)
    if start >= end:
        raise UserError(f"the time range from {since} to {until} is empty: give an earlier start")
    return Window(start, end)


def moment(text: str, now: datetime, zone: ZoneInfo, end: bool = False) -> datetime:
    """A point in time, UTC; `/d` and its like round down, at the `end` of a range up, by the time zone's calendar.

    Raises UserError for anything else.
    """
    try:
        found = _moment(text, now, zone, end).astimezone(
            UTC
        )  # two times of one zone are subtracted by its clock
        if found.year in YEARS:
            return found
    except (OverflowError, ValueError):
        pass
    raise UserError(f"{text} is too far away: give a time of the years {YEARS[0]} to {YEARS[-1]}")


def _moment(text: str, now: datetime, zone: ZoneInfo, end: bool) -> datetime:
    if not text.startswith("now"):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=datetime.fromisoformat(text).tzinfo or zone)
        except ValueError:
            raise UserError(f"{text} is no time: write now-15m, now/d or 2026-11-23T12:00:00Z") from None
    found = re.fullmatch(r"now(?:([+-])(\d{1,6})([smhdwMy]))?(?:/([smhdwMy]))?", text)
    if not found:
        raise UserError(f"{text} is no time: write now-15m, now/d or 2026-11-23T12:00:00Z")
    sign, number, unit, rounding = found.groups()
    moved = _moved(now, int(f"{sign}{number}"), unit, zone) if unit else now
    if not rounding:
        return moved
    floor = _floor(moved.astimezone(zone), rounding)
    return _moved(floor, 1, rounding, zone) if end else floor


def duration(text: str, whole: timedelta) -> timedelta:
    """A shift such as 1d; `previous` is the whole window."""
    found = re.fullmatch(r"(\d{1,6})([smhdwMy])", text)
    if text != "previous" and not found:
        raise UserError(f"{text} is no time shift: write 1d or previous")
    return UNITS[found[2]] * int(found[1]) if found else whole


def bucket_seconds(interval: str) -> float:
    """The width of a bucket in seconds; of a month or year, of a usual one."""
    if interval.endswith("ms"):
        return int(interval[:-2]) / 1000
    return UNITS[interval[-1]].total_seconds() * int(interval[:-1])


def auto_interval(span: timedelta) -> str:
    """The width of buckets that suits a time range, as Kibana chooses it."""
    seconds = span.total_seconds()
    wide = [interval for bound, interval in BOUNDS if bound >= seconds / TARGET_BUCKETS] or ["1M"]
    return next((each for each in wide if seconds / bucket_seconds(each) <= MOST_BUCKETS), wide[-1])


def _moved(moment: datetime, number: int, unit: str, zone: ZoneInfo) -> datetime:
    """So many units later; days and longer ones by the calendar of the time zone, as Kibana counts them."""
    if unit in "smh":
        return moment.astimezone(UTC) + UNITS[unit] * number
    local = moment.astimezone(zone)
    if unit in "dw":
        return local + UNITS[unit] * number
    year, month = divmod(local.year * 12 + local.month - 1 + number * (12 if unit == "y" else 1), 12)
    last = calendar.monthrange(year, month + 1)[1]
    return local.replace(year=year, month=month + 1, day=min(local.day, last))


def _floor(local: datetime, unit: str) -> datetime:
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "s": local.replace(microsecond=0),
        "m": local.replace(second=0, microsecond=0),
        "h": local.replace(minute=0, second=0, microsecond=0),
        "d": day,
        "w": day - timedelta(days=day.weekday()),
        "M": day.replace(day=1),
        "y": day.replace(month=1, day=1),
    }[unit]
