#!/usr/bin/env python3
"""Compaction, beside the owners of hdfs_protocol_model.py: every order of steps, whoever stops anywhere.

    python3 tests/compaction_model.py [--drop RULE] [--runs N] [--owners N] [--faults N]

A run of archive.py compact lists, writes what is old anew in a folder of its own, publishes that, and deletes what it
stands for. A later run deletes the folders of those before. docs/hdfs-protocol.md tells it in words.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hdfs_protocol_model import Merged, Model, Owner, Request, State, Tree, search, show

RULES = {
    "keep the newest": "compaction leaves the newest sealed epoch that holds any, and what is above it",
    "merged stands for all below": "readers ignore the epochs that a merged one stands for",
    "publish, then delete": "old epochs are deleted after the merged one is in its place",
    "delete when clear": "and only after a clear yes to that",
    "end other runs": "a run deletes the folders of others, out of which they publish, before it lists",
}


@dataclass(frozen=True)
class Run:
    """The step that it takes next, and whether its folder is there; `ready`: what that holds."""

    step: str = "idle"
    folder: bool = False
    ready: Merged | None = None
    to_delete: tuple[Any, ...] = ()


@dataclass(frozen=True)
class CompactionModel(Model):
    """The bounds of a search, and the rules that are left out."""

    runs: int = 1

    def start(self) -> State:
        return State(owners=(Owner(),) * self.owners, compactions=(Run(),) * self.runs)

    def follow(self, state: State) -> Iterator[tuple[str, State]]:
        """Every state that can come next, and what happened."""
        yield from super().follow(state)
        for number, run in enumerate(state.compactions):
            yield from self._go_on(state, number, run)

    def _go_on(self, state: State, number: int, run: Run) -> Iterator[tuple[str, State]]:
        """The next step of a run, with each way in which it can go."""
        who, deletes_first = f"compaction {number}", "publish, then delete" in self.dropped
        if run.step == "idle":
            yield f"{who} begins", with_run(self._others_ended(state), number, Run("list", folder=True))
        elif run.step == "list" and (ready := self._planned(state)):
            old = sorted(folder for folder, _ in state.tree if folder[0][0] <= ready[0])
            new = Run(
                "delete" if deletes_first else "publish", run.folder, ready, (*old, *sorted(state.merged))
            )
            listed = with_run(replace(state, uuids=state.uuids + 1), number, new)
            yield f"{who} lists, writes {list(ready[2])} for all epochs up to {ready[0]}", listed
        elif run.step == "publish":
            done = replace(run, step="end" if deletes_first else "delete")
            unclear = done if "delete when clear" in self.dropped else replace(run, step="end")
            yield from self._ask(state, f"{who} publishes", ("MERGE", number, ()), number, done, unclear)
        elif run.step == "delete" and run.to_delete:
            request, new = ("DELETE", run.to_delete[0], ()), replace(run, to_delete=run.to_delete[1:])
            yield from self._ask(state, f"{who}: {said(request)}", request, number, new, new)
        elif run.step == "delete" and deletes_first:
            yield f"{who} has deleted", with_run(state, number, replace(run, step="publish"))

    def _ask(
        self, state: State, who: str, request: Request, number: int, done: Run, unclear: Run
    ) -> Iterator[tuple[str, State]]:
        """What the NameNode does may change the run's folder: only the step comes from us."""

        def then(new: Run, state: State) -> State:
            ready = state.compactions[number].ready
            return with_run(state, number, replace(new, ready=ready, folder=state.compactions[number].folder))

        yield from self.ask(
            state, who, request, lambda after: then(done, after), lambda after: then(unclear, after)
        )

    def _others_ended(self, state: State) -> State:
        if "end other runs" in self.dropped:
            return state
        ended = tuple(replace(other, folder=False) for other in state.compactions)
        return replace(state, compactions=ended)

    def _planned(self, state: State) -> Merged | None:
        """What stands in the place of all below the newest sealed epoch that holds any."""
        held = {name: pieces for (name, is_open), pieces in state.tree if not is_open}
        newest = max((name[0] for name, pieces in held.items() if pieces), default=0)
        last = newest if "keep the newest" in self.dropped else newest - 1
        before = max(state.merged, default=(0, 0, ()))
        old = [pieces for name, pieces in held.items() if before[0] < name[0] <= last]
        if not old:
            return None
        offsets = [offset for pieces in old for piece in pieces for offset in piece]
        return last, state.uuids + 1, tuple(sorted([*before[2], *offsets]))

    def apply(self, state: State, request: Request) -> tuple[State, bool]:
        """What the NameNode does: the state after it, and its answer."""
        kind, what, _ = request
        if kind == "DELETE":
            tree = frozenset((folder, pieces) for folder, pieces in state.tree if folder != what)
            return replace(state, tree=tree, merged=state.merged - {what}), True
        if kind != "MERGE":
            return super().apply(state, request)
        run = state.compactions[what]
        if not run.folder or run.ready is None:  # RENAME finds nothing to move
            return state, False
        after = replace(state, merged=state.merged | {run.ready})
        return with_run(after, what, replace(run, ready=None)), True

    def read(self, tree: Tree, merged: frozenset[Merged] = frozenset()) -> list[int]:
        """What a reader finds; of two merged epochs up to the same number neither stands for the other."""
        if "merged stands for all below" in self.dropped:
            return super().read(tree) + [offset for each in merged for offset in each[2]]
        highest = max((each[0] for each in merged), default=0)
        beside = [each for each in merged if each[0] == highest and each != max(merged)]
        return super().read(tree, merged) + [offset for each in beside for offset in each[2]]


def with_run(state: State, number: int, run: Run) -> State:
    """One run is a step further."""
    runs = tuple(run if index == number else old for index, old in enumerate(state.compactions))
    return replace(state, compactions=runs)


def said(request: Request) -> str:
    """A deletion in words."""
    merged = not isinstance(request[1][0], tuple)
    return f"DELETE merged epochs up to {request[1][0]}" if merged else show(request)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drop", choices=RULES, help="leave out a rule, and see what it prevents")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--owners", type=int, default=2)
    parser.add_argument("--faults", type=int, default=1)
    parser.add_argument("--claims", type=int, default=2, help="by each owner")
    parser.add_argument("--records", type=int, default=2)
    args = parser.parse_args()
    dropped = frozenset([args.drop] if args.drop else [])
    model = CompactionModel(args.owners, args.faults, args.claims, args.records, dropped, args.runs)
    states, wrong = search(model, print)
    print("\n".join(wrong) if wrong else "nothing wrong", f"({states:,} states)")


if __name__ == "__main__":
    main()
