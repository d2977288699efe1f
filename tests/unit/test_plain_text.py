"""What others wrote can neither steer a terminal nor forge a line of a log."""

import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_cluster.plain_text import PrintableFormatter, plain, printable
from kafka_cluster.script import ROOT

FORGED = "\x1b]0;taken\x07\n12:00:00 ERROR \u202eforged\u2028\x9b31m"


@given(st.text())
def test_one_line_of_what_is_seen_is_left_and_what_is_seen_stays_as_it_is(text: str) -> None:
    for shown in (printable(text), plain(text)):
        assert not set(shown) & set("\x1b\x07\x9b\n\r\u2028\u202e\u2066\x00")
        assert len(shown.splitlines()) <= 1
    assert (printable(text) == text) == text.isprintable()


def test_text_of_any_writing_is_not_touched() -> None:
    for text in ("카프카 カフカ #Kafka <b>[red]%s", "نص", "emoji 🎉"):
        assert printable(text) == plain(text) == text
    assert plain("👨‍👩‍👧") == "👨‍👩‍👧"


def test_a_message_of_the_log_is_one_line_and_so_is_each_of_a_traceback() -> None:
    formatter = PrintableFormatter("%(levelname)s %(message)s")
    try:
        raise ValueError(FORGED)
    except ValueError:
        record = logging.LogRecord("x", logging.INFO, "x.py", 1, "said: %s", (FORGED,), sys.exc_info())
    first, *trace = formatter.format(record).split("\n")
    assert first.startswith("INFO said: \\x1b]0;taken\\x07\\n12:00:00 ERROR")
    assert all(line.isprintable() for line in [first, *trace]) and "ValueError: \\x1b]0" in trace[-2]
    assert all(line.startswith("  ") for line in trace)


@pytest.mark.parametrize(("error", "code"), [("script.UserError", 2), ("ValueError", 1)])
def test_the_last_line_of_a_script_that_fails_is_as_harmless(error: str, code: int) -> None:
    program = (
        f"from kafka_cluster import script\ndef main():\n    raise {error}({FORGED!r})\nscript.run(main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "kafka-cluster", capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == code and "\\x1b]0;taken\\x07" in done.stderr
    assert all(line.isprintable() for line in done.stderr.split("\n")), done.stderr
