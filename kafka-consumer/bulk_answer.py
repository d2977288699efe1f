"""What to do after an answer of Elasticsearch's _bulk, and what is known of the documents then. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sink import Written

# Wait and try again: queues full, disk watermark, an index set read-only, shards or nodes away, an operator's slip.
WAIT_STATUS = {404, 408, 429, 500, 502, 503, 504}
WAIT_ERRORS = {"cluster_block_exception", "index_closed_exception", "unavailable_shards_exception"}

NO_WRITE_INDEX = "no write index is defined"
"""How the reason begins where somebody has put a second index behind the alias, or deleted the one for writes."""


class Verdict(Enum):
    """Of one item, or of a whole request that was refused."""

    NEW = "the document was created"
    EXISTING = "a document with this id is there already"
    AGAIN = "wait, and send it again"
    FORBIDDEN = "a person must look at user and password"
    POISON = "it will never be taken"


def verdict(status: int, error: str | None, reason: str | None = None) -> Verdict:
    """By an item's or a request's status, type of error and reason. A request that is POISON holds one that is."""
    if status < 300:
        return Verdict.NEW
    if status == 409:
        return Verdict.EXISTING
    if status in WAIT_STATUS or error in WAIT_ERRORS:
        return Verdict.AGAIN
    if error == "illegal_argument_exception" and (reason or "").startswith(NO_WRITE_INDEX):
        return Verdict.AGAIN
    return Verdict.FORBIDDEN if status in (401, 403) else Verdict.POISON


class RecentIds:
    """The ids that were added last: so many at least, and twice as many at most."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._newer, self._older = set[str](), set[str]()

    def add(self, id_: str) -> None:
        """Remember an id."""
        if len(self._newer) >= self._count:
            self._newer, self._older = set(), self._newer
        self._newer.add(id_)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._newer or id_ in self._older


@dataclass
class Outcome:
    """What became of the records of a write so far."""

    written: Written = field(default_factory=Written)
    poison: list[tuple[Any, str]] = field(default_factory=list)
    """Records that will never be taken, and why."""
    conflicts: list[Any] = field(default_factory=list)
    """Records whose documents are there, perhaps not on disk."""
    on_disk_below: float = 0
    """What is there of the records below this offset is on disk."""
    again: list[Any] = field(default_factory=list)
    complaints: Counter[str] = field(default_factory=Counter)
    """Why something must be asked again."""

    def send_again(self, records: list[Any], why: str) -> None:
        """Keep records for another request."""
        self.again += records
        self.complaints[why] += len(records)
