"""The rules of forgetting: with all of them what is said to be gone is gone, without any one of them it may not be."""

import pytest

from forget_model import RULES, Model, search


def test_what_a_run_has_forgotten_is_gone_in_every_order_of_steps() -> None:
    states, wrong = search(Model())
    assert wrong is None and states > 10_000, wrong


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(rule: str) -> None:
    _, wrong = search(Model(frozenset([rule])))
    assert wrong and "is in the archive" in wrong[-1]
