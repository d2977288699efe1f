"""The progress line is for people, and never a reason to end."""

from io import StringIO
from pathlib import Path

import pytest

import progress
from ingest import Counts
from progress import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    """Whoever read it has ended."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    monkeypatch.setattr(progress, "TERMINAL_SECONDS", -1.0)


def test_a_terminals_line_is_written_again_and_left_empty() -> None:
    out = Terminal()
    shown = Progress(out=out)
    shown.show(Counts(read=7, tweets=7))
    shown.end()
    line, blank, rest = out.getvalue()[1:].split("\r")
    assert line.startswith("read 7 lines: 7 tweets") and blank == " " * len(line) and not rest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_line_that_finds_no_room_on_the_disk_ends_nothing() -> None:
    out = Path("/dev/full").open("w")  # noqa: SIM115
    shown = Progress(out=out)
    shown.show(Counts(read=1))
    shown.show(Counts(read=2))
    with pytest.raises(OSError):
        out.close()


def test_a_line_that_nobody_reads_any_more_ends_nothing() -> None:
    shown = Progress(out=Gone())
    shown.show(Counts(read=1))
    shown.end()
