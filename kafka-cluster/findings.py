"""What the doctor's checks have in common: what they look at, what they say, and how they are run."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from clusters import Cluster
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

SECONDS = 15.0
"""How long all checks together may take: a server that hangs must not hold up the others."""
SKEW_SECONDS = 5.0
SET_CLOCKS = "let NTP set the clocks; Docker Desktop's is right again after it was restarted"


class Level(StrEnum):
    """How well it is."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAULT = "fault"

    def of(self, count: int) -> str:
        """`3 faults`, `3 ok`."""
        return f"{self}s" if count > 1 and self in (Level.WARNING, Level.FAULT) else str(self)


@dataclass(frozen=True)
class Finding:
    """One line for the person: what is so, and what to do about it."""

    level: Level
    what: str
    cure: str = ""


@dataclass(frozen=True)
class Patient:
    """What is looked at: the servers that the scripts would use, and those that the launcher knows of."""

    settings: Settings
    cluster: Cluster
    offset: int = 0
    """The cluster's port offset, as cluster.py wants it."""

    def launcher(self, *words: str) -> str:
        """A command of cluster.py that reaches this cluster."""
        second = ("--port-offset", str(self.offset)) if self.offset else ()
        return " ".join(("python3 kafka-cluster/cluster.py", *words, *second))


@dataclass(frozen=True)
class Check:
    """One check. `look` yields what it found, or raises where nothing more can be said of its subject."""

    subject: str
    look: Callable[[Patient], Iterable[Finding]]
    then: tuple["Check", ...] = ()
    """What can be looked at only where this one did not raise."""

    def and_later(self) -> Iterator["Check"]:
        """This one and those that follow it."""
        yield self
        for check in self.then:
            yield from check.and_later()


def ok(what: str) -> Finding:
    """As it should be; not shown where the same check finds something else."""
    return Finding(Level.OK, what)


def warning(what: str, cure: str = "") -> Finding:
    """It works, and will not for long, or not for everybody."""
    return Finding(Level.WARNING, what, cure)


def fault(what: str, cure: str = "") -> Finding:
    """It does not work, or tweets could be lost."""
    return Finding(Level.FAULT, what, cure)


def clock(whose: str, theirs: float, ours: float) -> Iterator[Finding]:
    """A server's clock against this machine's, both in seconds since 1970."""
    off = theirs - ours
    if abs(off) > SKEW_SECONDS:
        side = "ahead of" if off > 0 else "behind"
        yield warning(f"the clock of {whose} is {abs(off):,.0f} s {side} this machine's", SET_CLOCKS)


def examine(
    checks: Iterable[Check], patient: Patient, seconds: float = SECONDS
) -> list[tuple[str, list[Finding]]]:
    """Run all checks at the same time, for so long; returns subjects and findings in order, at least one each."""
    checks, found = list(checks), dict[str, list[Finding]]()
    # daemons: one that still waits for a server ends with the script
    threads = [threading.Thread(target=_look, args=(check, patient, found), daemon=True) for check in checks]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = [fault(f"can't be told: no answer within {seconds:.0f} s")]
    subjects = [each.subject for check in checks for each in check.and_later()]
    return [(subject, found.get(subject, late)) for subject in subjects]


def _look(check: Check, patient: Patient, found: dict[str, list[Finding]]) -> None:
    said: list[Finding] = []
    try:
        said.extend(check.look(patient))
    except Exception as error:  # a server may answer anything, and the other checks go on
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        found[check.subject] = [*said, fault(f"{kind}{error}")]
        for later in list(check.and_later())[1:]:
            found[later.subject] = [Finding(Level.SKIPPED, f"not looked at: see {check.subject}")]
        return
    found[check.subject] = [finding for finding in said if finding.level is not Level.OK] or said
    for later in check.then:
        _look(later, patient, found)
