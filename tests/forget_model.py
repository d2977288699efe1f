#!/usr/bin/env python3
"""An exhaustive model of how posts are forgotten: every order of steps of an owner, two runs of forget, a compaction.

    python3 tests/forget_model.py [--drop RULE]

A sealed file holds posts 1 and 2, post 3 is still in Kafka. One run forgets 1 and 3, the other 2; compaction writes the
file anew as it is. Whoever takes no more
steps is frozen or dead; one that goes on later has woken up, and so has a request that comes late. The epochs' own
protocol is in hdfs_protocol_model.py; here a claim is its folder, the list, the seal. docs/hdfs-protocol.md tells it
in words.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from breadth_first import breadth_first

RULES = {
    "list first": "a run puts its posts on the list before it looks for them",
    "list after the folder": "an owner reads the list after it has made its folder",
    "seal": "a run seals the open epochs after it has added to the list",
    "end other runs": "a run deletes the folders of others, out of which they rename",
    "list after that": "a run reads the list, by which it writes files anew, after it has deleted those",
    "give way": "a compaction gives up where a run of forget has its folder",
    "folder, then look": "and looks for it after it has made its own",
}
POSTS = (frozenset({1, 3}), frozenset({2}))
LATER = 3
Posts = frozenset[int]


@dataclass(frozen=True)
class Epoch:
    """`stored`: post 3 stands in it, as "value" or "empty"."""

    open: bool = True
    stored: str | None = None


@dataclass(frozen=True)
class Owner:
    step: str = "idle"
    epoch: int = -1
    known: Posts = frozenset()
    claims: int = 0


@dataclass(frozen=True)
class Run:
    """`content`: what it writes in the file's place; `ready`: that stands in its folder, while there is one."""

    step: int = 0
    known: Posts = frozenset()
    content: Posts = frozenset()
    folder: bool = False
    ready: bool = False
    end: str | None = None


@dataclass(frozen=True)
class Compaction:
    """`content`: what it has read, and puts in the file's place while its folder is there."""

    step: int = 0
    folder: bool = False
    content: Posts = frozenset()


@dataclass(frozen=True)
class State:
    listed: Posts = frozenset()
    file: Posts = frozenset({1, 2})
    epochs: tuple[Epoch, ...] = ()
    owner: Owner = Owner()
    runs: tuple[Run, ...] = (Run(), Run())
    compaction: Compaction = Compaction()

    def held(self) -> Posts:
        """The posts whose values are in the archive."""
        later = {LATER} if any(epoch.stored == "value" for epoch in self.epochs) else set()
        return self.file | later


@dataclass(frozen=True)
class Model:
    """`dropped`: the rules that are left out."""

    dropped: frozenset[str] = field(default_factory=frozenset)

    def follow(self, state: State) -> Iterator[tuple[str, State]]:
        """Every state that can come next, and what happened."""
        yield from self.owner(state)
        yield from self.compact(state)
        for number, run in enumerate(state.runs):
            steps = self.steps()
            if run.end is None and run.step < len(steps):
                after = getattr(self, f"_{steps[run.step]}")(state, number, run)
                yield f"run {number}: {steps[run.step]}", after

    def steps(self) -> list[str]:
        """Of a run, in order."""
        steps = ["add", "make", "end_others", "read_list", "seal", "write_anew", "replace", "done"]
        if "list first" in self.dropped:
            steps = [*steps[1:-1], "add", "done"]
        if "list after that" in self.dropped:
            steps.remove("read_list")
            steps.insert(steps.index("make"), "read_list")
        left_out = {"seal": "seal", "end other runs": "end_others"}
        return [
            step for step in steps if step not in {left_out[rule] for rule in self.dropped & left_out.keys()}
        ]

    def owner(self, state: State) -> Iterator[tuple[str, State]]:
        owner, early = state.owner, "list after the folder" in self.dropped
        if owner.step == "idle" and owner.claims < 2:
            new = Owner("list" if early else "make", claims=owner.claims + 1)
            yield "owner: begins a claim", replace(state, owner=new)
        elif owner.step == "make":
            epochs = (*sealed(state.epochs), Epoch())
            new = replace(owner, step="write" if early else "list", epoch=len(state.epochs))
            yield "owner: makes its folder, seals those before", replace(state, owner=new, epochs=epochs)
        elif owner.step == "list":
            new = replace(owner, step="make" if early else "write", known=state.listed)
            yield "owner: reads the list", replace(state, owner=new)
        elif owner.step == "write":
            yield "owner: stores what is not there", self._store(state, owner)

    def compact(self, state: State) -> Iterator[tuple[str, State]]:
        """The next step of the compaction."""
        run, steps = state.compaction, ["make", "look", "read", "publish"]
        if "folder, then look" in self.dropped:
            steps[:2] = ["look", "make"]
        if run.step >= len(steps):
            return
        what, after = steps[run.step], replace(state, compaction=replace(run, step=run.step + 1))
        if what == "make":
            after = replace(after, compaction=replace(after.compaction, folder=True))
        elif what == "look" and any(each.folder for each in state.runs) and "give way" not in self.dropped:
            after = replace(after, compaction=Compaction(len(steps)))
        elif what == "read":
            after = replace(after, compaction=replace(after.compaction, content=state.file))
        elif what == "publish" and run.folder:  # else RENAME finds nothing to move
            after = replace(after, file=run.content)
        yield f"compaction: {what}", after

    def _store(self, state: State, owner: Owner) -> State:
        mine = state.epochs[owner.epoch]
        if not mine.open or any(epoch.stored for epoch in state.epochs):
            return replace(state, owner=replace(owner, step="idle"))
        stored = replace(mine, stored="empty" if LATER in owner.known else "value")
        epochs = (*state.epochs[: owner.epoch], stored, *state.epochs[owner.epoch + 1 :])
        return replace(state, owner=replace(owner, step="idle"), epochs=epochs)

    def _add(self, state: State, number: int, run: Run) -> State:
        return replace(moved(state, number, run), listed=state.listed | POSTS[number])

    def _make(self, state: State, number: int, run: Run) -> State:
        return moved(state, number, replace(run, folder=True))

    def _end_others(self, state: State, number: int, run: Run) -> State:
        after = moved(state, number, run)
        runs = tuple(
            each if index == number else replace(each, folder=False, ready=False)
            for index, each in enumerate(after.runs)
        )
        return replace(after, runs=runs, compaction=replace(after.compaction, folder=False))

    def _read_list(self, state: State, number: int, run: Run) -> State:
        known = state.listed | (POSTS[number] if "list first" in self.dropped else frozenset())
        return moved(state, number, replace(run, known=known))

    def _seal(self, state: State, number: int, run: Run) -> State:
        return replace(moved(state, number, run), epochs=sealed(state.epochs))

    def _write_anew(self, state: State, number: int, run: Run) -> State:
        if not run.folder:
            return moved(state, number, replace(run, end="overtaken"))
        return moved(state, number, replace(run, content=state.file - run.known, ready=True))

    def _replace(self, state: State, number: int, run: Run) -> State:
        if not run.ready:
            return moved(state, number, replace(run, end="overtaken"))
        epochs = tuple(
            replace(epoch, stored="empty")
            if epoch.stored and not epoch.open and LATER in run.known
            else epoch
            for epoch in state.epochs
        )
        return replace(moved(state, number, replace(run, ready=False)), file=run.content, epochs=epochs)

    def _done(self, state: State, number: int, run: Run) -> State:
        return moved(state, number, replace(run, end="done", folder=False))

    def fault(self, state: State) -> str | None:
        """What is wrong with a state: what a run has said is gone is there."""
        ended = [run.end for run in state.runs]
        for number, end in enumerate(ended):
            by_the_other = end == "overtaken" and ended[1 - number] == "done"
            if (end == "done" or by_the_other) and POSTS[number] & state.held():
                return f"run {number} is {end}, and {sorted(POSTS[number] & state.held())} is in the archive"
        return None


def sealed(epochs: tuple[Epoch, ...]) -> tuple[Epoch, ...]:
    return tuple(replace(epoch, open=False) for epoch in epochs)


def moved(state: State, number: int, run: Run) -> State:
    """One run is a step further."""
    new = replace(run, step=run.step + 1)
    return replace(state, runs=tuple(new if i == number else old for i, old in enumerate(state.runs)))


def search(model: Model) -> tuple[int, list[str] | None]:
    """All states: how many there are, and the shortest way to a wrong one, or None."""
    return breadth_first(State(), model.follow, model.fault)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drop", choices=RULES, help="leave out a rule, and see what it prevents")
    args = parser.parse_args()
    states, wrong = search(Model(frozenset([args.drop] if args.drop else [])))
    print("\n".join(wrong) if wrong else "nothing wrong", f"({states:,} states)")


if __name__ == "__main__":
    main()
