"""What people see of a run: on a terminal a live table, a line per fault elsewhere; at the end the sum of each kind."""

import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table

from chaos_faults import FAULTS
from chaos_load import crashed
from chaos_peaks import Peaks
from chaos_watch import Watch
from chaos_world import Fault, World
from pipeline_audit import Report


@dataclass
class Done:
    """A fault that was injected; `began` and `ended` by the wall clock, `recovered_in` None where it never did."""

    fault: Fault
    began: float
    ended: float = 0.0
    recovered_in: float | None = None
    error: str = ""

    def saw(self, moments: list[float]) -> int:
        """How many of these moments lie between its begin and its end."""
        return sum(self.began <= moment <= self.ended for moment in moments)

    def __str__(self) -> str:
        took = f"{self.recovered_in:.1f} s" if self.recovered_in is not None else "NOT RECOVERED"
        return f"{self.fault.name}: recovered in {took} {self.error}".rstrip()


@dataclass
class Findings:
    """What the topic says about the audit's result: when the lost and the doubled came, what was promised in vain."""

    lost: list[float] = field(default_factory=list)
    doubled: list[float] = field(default_factory=list)
    broken_promises: list[str] = field(default_factory=list)


class ChaosView:
    """Told from the lanes' threads what begins and ends; `with` it, the table is live."""

    def __init__(self, watch: Watch, lanes: Iterable[str], minutes: float) -> None:
        self._watch, self._minutes = watch, minutes
        self._started = time.monotonic()
        self._doing = dict.fromkeys(lanes, "")
        self._last = dict.fromkeys(self._doing, "")
        self._count = 0
        self._live = Live(get_renderable=self._table, console=Console(file=sys.stdout), refresh_per_second=2)

    def __enter__(self) -> "ChaosView":
        if sys.stdout.isatty():
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begins(self, fault: Fault) -> None:
        """A fault is injected."""
        self._doing[fault.lane] = fault.name
        self._say(f"{fault.lane:<13} {fault.name}")

    def ends(self, done: Done) -> None:
        """It is over, and has recovered or not."""
        self._doing[done.fault.lane], self._last[done.fault.lane] = "", str(done)
        self._count += 1
        self._say(f"{done.fault.lane:<13} {done}")

    def _say(self, what: str) -> None:
        if not self._live.is_started:
            sys.stdout.write(f"{self._seconds():7.1f} s {self._records():>9,} records  {what}\n")
            sys.stdout.flush()

    def _table(self) -> Table:
        title = (
            f"{self._seconds():.0f} of {self._minutes * 60:.0f} s: "
            f"{self._count} faults healed, {self._records():,} records in the topic"
        )
        table = Table("lane", "happens now", "before", title=title, title_justify="left", box=None)
        for lane, name in self._doing.items():
            table.add_row(lane, name, self._last[lane])
        return table

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _records(self) -> int:
        return sum(self._watch.latest.ends.values()) if self._watch.latest else 0


def show(done: list[Done], report: Report, found: Findings, world: World, peaks: Peaks) -> None:
    """One line per kind of fault, then the audit."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("fault", "injected", "recovered in: median", "worst", "lost", "doubled"):
        table.add_column(title, justify="left" if title == "fault" else "right")
    for fault in FAULTS:
        mine = [each for each in done if each.fault is fault]
        took = [each.recovered_in for each in mine if each.recovered_in is not None]
        if mine:
            times = (f"{statistics.median(took):.1f} s", f"{max(took):.1f} s") if took else ("never", "never")
            bad = [str(sum(each.saw(moments) for each in mine)) for moments in (found.lost, found.doubled)]
            table.add_row(fault.name, str(len(mine)), *times, *bad)
    console = Console(width=110, highlight=False)
    console.print(table)
    console.print(f"{len(done)} faults of {len({each.fault.name for each in done})} kinds")
    console.print(str(report), markup=False)
    console.print(str(peaks), markup=False)
    if world.by_hand:
        console.print(f"brokers restarted by hand, since a partition stayed out of sync: {world.by_hand} x")
    load = world.load
    console.print(
        f"producers said of {len(load.promised):,} tweets by id that Kafka has them; "
        f"not in the topic: {', '.join(found.broken_promises[:5]) or 'none'}"
    )
    for name, crew in load.crews.items():
        for what, count in crew.endings.items():
            console.print(f"{name}: ended by itself, {count} x: {what}", markup=False)
    for process in crashed(load.pipeline.processes):
        console.print(f"a traceback in {process.log}", markup=False)  # type: ignore[attr-defined]
