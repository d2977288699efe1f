"""Dead letters as people see them: grouped by reason, or one by one, with nothing that a terminal would obey. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from dead_letter_topic import DeadLetter
from kafka_cluster.message import header, timestamp_of
from kafka_cluster.pipeline_events import reason_class
from kafka_cluster.plain_text import printable

SHOWN_BYTES = 300


@dataclass
class Reason:
    """Letters of one reason and one sender. `delivered`: of those, tweets that Elasticsearch has by now."""

    reason: str
    sender: str
    count: int = 0
    delivered: int = 0
    first: int = 0
    last: int = 0


class Reasons:
    """Counts letters."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], Reason] = {}

    def add(self, letter: DeadLetter, delivered: bool) -> None:
        """Count one; a lost range counts as so many."""
        key = reason_class(letter.reason), letter.sender
        reason = self._reasons.setdefault(key, Reason(*key, first=letter.record.timestamp))
        reason.count += len(letter.lost) if letter.lost else 1
        reason.delivered += delivered
        reason.last = letter.record.timestamp

    def __str__(self) -> str:
        rows = sorted(self._reasons.values(), key=lambda reason: -reason.count)
        lines = [f"{'count':>8} {'indexed since':>14}  {'first':<24}  {'last':<24}  who, and why"]
        lines += [
            f"{row.count:>8,} {row.delivered:>14,}  {timestamp_of(row.first)}  {timestamp_of(row.last)}  "
            f"{printable(row.sender)}: {printable(row.reason)}"
            for row in rows
        ]
        return "\n".join(lines) if rows else "no dead letters"


def shown(letter: DeadLetter) -> str:
    """One letter: where it came from, why, and the beginning of its value."""
    origin, record = letter.origin, letter.record
    where = f"line {_line(letter)} of {letter.sender}"
    if origin:
        last = f" to {letter.lost[-1]}" if letter.lost else ""
        where = (
            f"{origin.topic} partition {origin.partition}, offset {origin.offset}{last}, by {letter.sender}"
        )
    value = record.value
    size = "no value" if value is None else f"{len(value) + letter.cut_bytes:,} bytes"
    return (
        f"{record.offset:>6}  {timestamp_of(record.timestamp)}  {printable(where)}\n"
        f"        why    {printable(letter.reason)}\n"
        f"        value  {size}{beginning(value)}"
    )


def beginning(value: bytes | None) -> str:
    """The first characters of a value, for people."""
    if not value:
        return ""
    cut = value[:SHOWN_BYTES]
    return (
        ": " + printable(cut.decode("utf-8", "backslashreplace")) + (" ..." if len(value) > len(cut) else "")
    )


def matching(letters: Iterable[DeadLetter], reason: str | None) -> Iterable[DeadLetter]:
    """Those whose reason holds this text; all, where none is given."""
    return (letter for letter in letters if not reason or reason.lower() in letter.reason.lower())


def _line(letter: DeadLetter) -> str:
    return header(letter.record.headers, "line") or "?"
