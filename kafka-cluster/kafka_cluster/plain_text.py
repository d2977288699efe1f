"""Text that others wrote, shown so that it steers nothing: terminal, log or page. Pure, standard library only."""

import logging
import unicodedata
from textwrap import indent
from typing import Any

# Characters that turn the direction of all text after them: a tweet may not, outside its own place.
TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """One line for a terminal or a log: control characters, line ends, and what is not seen or turns the direction of
    writing, are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_lines(text: str) -> str:
    """The same for text of ours that has lines."""
    return "\n".join(map(printable, text.split("\n")))


def plain(text: Any) -> str:
    """One line for a page: without control characters and turns of direction; joined emoji stay joined."""
    spaced = "".join(
        " " if unicodedata.category(c) in ("Zl", "Zp") or c in "\t\n\r" else c for c in str(text)
    )
    kept = (c for c in spaced if unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn") and c not in TURNING)
    return " ".join("".join(kept).split())


class PrintableFormatter(logging.Formatter):
    """A line of log is one line, whatever a message quotes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, its message escaped."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The traceback, whose last lines quote too: indented, none looks like a line of its own."""
        return indent(printable_lines(super().formatException(ei)), "  ")
