"""What the doctor's tests look at."""

from collections.abc import Iterator

from findings import Finding, Level

NOW = 1_795_713_684.0  # 2026-11-26T17:21:24Z
GIB = 1 << 30


def said(findings: Iterator[Finding]) -> list[tuple[Level, str, str]]:
    """What was found besides good news."""
    return [(each.level, each.what, each.cure) for each in findings if each.level is not Level.OK]


def the_one(findings: Iterator[Finding]) -> tuple[Level, str, str]:
    """It, where there is no other."""
    (found,) = said(findings)
    return found
