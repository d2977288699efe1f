"""The search through a model's states that the models of our protocols share."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

S = TypeVar("S", bound=Hashable)


def breadth_first(
    start: S, follow: Callable[[S], Iterable[tuple[str, S]]], fault: Callable[[S], str | None],
    say: Callable[[str], object] = str,
) -> tuple[int, list[str] | None]:  # fmt: skip
    """All states: how many there are, and the shortest way to one with a fault, or None."""
    came_from: dict[S, tuple[S, str] | None] = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for what, after in follow(state):
            if after in came_from:
                continue
            came_from[after] = (state, what)
            if wrong := fault(after):
                return len(came_from), [*_trace(came_from, after), wrong]
            queue.append(after)
            if len(came_from) % 100_000 == 0:
                say(f"{len(came_from):,} states, {len(queue):,} to follow")
    return len(came_from), None


def _trace(came_from: dict[S, tuple[S, str] | None], state: S) -> list[str]:
    """What happened, from the start to a state."""
    steps: list[str] = []
    while (before := came_from[state]) is not None:
        state, what = before
        steps.append(what)
    return steps[::-1]
