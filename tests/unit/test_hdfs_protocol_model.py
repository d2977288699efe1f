"""Group B's protocol, searched through: whole it is sound, and without any one of its rules it is not."""

import pytest

from hdfs_protocol_model import RULES, Model, search


def test_no_order_of_steps_and_no_lost_late_or_repeated_request_loses_or_doubles_a_record() -> None:
    states, wrong = search(Model(owners=2, faults=1, claims=2))
    assert wrong is None
    assert states > 50_000, "a search that sees little proves little"


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(rule: str) -> None:
    _, wrong = search(Model(owners=2, faults=1, claims=2, dropped=frozenset([rule])))
    assert wrong and wrong[-1].startswith(("doubled", "lost", "dead end"))
