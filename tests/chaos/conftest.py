"""How long, how much, which faults: `python3 run.py chaos --minutes 5 --rate 300 --seed 1`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, default=5.0, help="how long faults are injected (default 5)")
    parser.addoption("--rate", type=float, default=300.0, help="tweets a second (default 300)")
    parser.addoption("--seed", type=int, default=1, help="the same seed draws the same faults (default 1)")
    parser.addoption("--faults", default="", help="only these kinds, by name, with commas")
    parser.addoption("--at-least", type=int, default=0, help="fail where fewer faults were injected")
