"""A member that has lost its partitions joins again beside a new one: every partition gets an owner at once."""

from types import SimpleNamespace
from typing import Any

from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from rebalance_notes import Assignor, RebalanceNotes

TOPIC, PARTITIONS = "tweets", list(range(6))


def given(assignor: Assignor, members: dict[str, Assignor]) -> list[int]:
    """The partitions that all members together are given in the next round."""
    cluster: Any = SimpleNamespace(partitions_for_topic=lambda _: set(PARTITIONS), topics=lambda **_: {TOPIC})
    joined = [
        SimpleNamespace(member_id=name, metadata=member.metadata([TOPIC])) for name, member in members.items()
    ]
    assignments = assignor.assign(cluster, joined)
    return sorted(tp.partition for assignment in assignments.values() for tp in assignment.partitions())


def test_what_was_lost_is_not_claimed_again() -> None:
    old, new, consumer = Assignor(), Assignor(), SimpleNamespace()
    old.on_assignment(ConsumerProtocolAssignment(1, [(TOPIC, PARTITIONS)], b""), 1)
    assert len(given(old, {"old": old, "new": new})) < len(PARTITIONS), "what moves waits for its owner"
    RebalanceNotes(consumer, old).on_partitions_lost([])  # type: ignore[arg-type]
    assert given(old, {"old": old, "new": new}) == PARTITIONS
