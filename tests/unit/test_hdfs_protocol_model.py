"""Group B's protocol, searched through: whole it is sound, and without any one of its rules it is not."""

import pytest

from compaction_model import RULES as COMPACTION_RULES
from compaction_model import CompactionModel
from hdfs_protocol_model import RULES, Model, search


def test_no_order_of_steps_and_no_lost_late_or_repeated_request_loses_or_doubles_a_record() -> None:
    states, wrong = search(Model(owners=2, faults=1, claims=2))
    assert wrong is None
    assert states > 50_000, "a search that sees little proves little"


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(rule: str) -> None:
    _, wrong = search(Model(owners=2, faults=1, claims=2, dropped=frozenset([rule])))
    assert wrong and wrong[-1].startswith(("doubled", "lost", "dead end"))


def test_compaction_loses_and_doubles_nothing_whenever_it_runs_and_wherever_it_is_killed() -> None:
    states, wrong = search(CompactionModel(owners=2, faults=0, claims=2))
    assert wrong is None
    assert states > 20_000


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, marks=pytest.mark.long) if rule == "delete when clear" else rule
        for rule in COMPACTION_RULES
    ],
)
def test_each_rule_of_compaction_is_needed(rule: str) -> None:
    late, two = rule == "delete when clear", rule == "end other runs"
    model = CompactionModel(2, faults=int(late), claims=2, dropped=frozenset([rule]), runs=1 + two)
    _, wrong = search(model)
    assert wrong and wrong[-1].startswith(("doubled", "lost", "dead end"))
