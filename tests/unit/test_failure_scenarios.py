"""docs/failure-scenarios.md names, for each failure, a test that there is, or says that there is none."""

import re
from pathlib import Path

import pytest

from chaos_faults import FAULTS
from kafka_cluster.script import ROOT

PAGE = ROOT / "docs" / "failure-scenarios.md"
TWIN = PAGE.with_name("failure-scenarios.ko.md")
UNTESTED = {PAGE: "not tested", TWIN: "테스트 없음"}


def proofs(page: Path) -> list[list[str]]:
    """What stands in the last column of each row."""
    rows = re.findall(r"^\| (?!---)(.*) \|$", page.read_text(encoding="utf-8"), re.M)
    cells = [row.split(" | ") for row in rows]
    header = cells[0]
    assert all(len(row) == len(header) for row in cells), "every row has all columns"
    found = [row[-1] for row in cells if row != header]
    return [re.findall(r"`([^`]+)`", cell) or [cell] for cell in found]


def existing_tests() -> set[str]:
    files = [
        *ROOT.glob("tests/unit/*.py"),
        *ROOT.glob("tests/integration/*.py"),
        *ROOT.glob("tests/chaos/*.py"),
    ]
    return {
        f"{file.name}::{name}"
        for file in files
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }


@pytest.mark.parametrize("page", UNTESTED, ids=lambda page: page.name)
def test_every_scenario_has_a_test_that_there_is_or_says_that_it_has_none(page: Path) -> None:
    known = existing_tests() | {f"chaos: {fault.name}" for fault in FAULTS} | {UNTESTED[page]}
    found = {proof for row in proofs(page) for proof in row}
    assert not found - known


def test_every_fault_of_the_chaos_is_a_scenario() -> None:
    found = {proof for row in proofs(PAGE) for proof in row}
    assert {f"chaos: {fault.name}" for fault in FAULTS} <= found


def test_the_twin_has_the_same_scenarios() -> None:
    said = [[UNTESTED[PAGE] if proof == UNTESTED[TWIN] else proof for proof in row] for row in proofs(TWIN)]
    assert said == proofs(PAGE)
