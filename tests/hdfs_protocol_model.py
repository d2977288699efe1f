#!/usr/bin/env python3
"""An exhaustive model of group B's protocol on one partition: every order of steps, every lost or late request.

    python3 tests/hdfs_protocol_model.py [--drop RULE] [--owners N] [--faults N]

A state is what HDFS holds, what is still on its way to the NameNode, and where each owner stands. An owner that takes
no more steps is frozen, or dead; one that goes on later has woken up. A mutating request is answered, or its answer
is lost, or it comes late (after the owner has given it up), or it arrives twice. docs/hdfs-protocol.md tells in words
what is modelled here, and what each rule is for.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from breadth_first import breadth_first

RULES = {
    "list again": "after making its folder an owner lists again, and gives way to a higher epoch",
    "seal before reading": "lower epochs are sealed before the last offset is read",
    "start anew when unclear": "after a RENAME without a clear yes the owner claims again, and sends nothing twice",
    "sealed wins": "where an epoch is there both sealed and open, readers ignore the open one",
}

Name = tuple[int, int]  # epoch number, uuid
Folder = tuple[Name, bool]  # and whether it is open
Tree = frozenset[
    tuple[Folder, tuple[tuple[int, ...], ...]]
]  # folder -> pieces, each the offsets that it holds
Merged = tuple[
    int, int, tuple[int, ...]
]  # stands for all epochs up to a number; uuid; the offsets that it holds
Request = tuple[str, Any, tuple[int, ...]]  # a PUBLISH has the offset, and which staged file it moves


@dataclass(frozen=True)
class Owner:
    """One process, and the step that it takes next."""

    step: str = "idle"
    name: Name = (0, 0)
    to_seal: tuple[Folder, ...] = ()
    next: int = 0
    claims: int = 0


@dataclass(frozen=True)
class State:
    """Everything that can differ."""

    tree: Tree = frozenset()
    moved: frozenset[int] = frozenset()
    """Staged files that are no longer in the staging folder: a RENAME that comes twice finds nothing to move."""
    late: frozenset[tuple[int, Request]] = frozenset()
    owners: tuple[Owner, ...] = ()
    merged: frozenset[Merged] = frozenset()
    compactions: tuple[Any, ...] = ()
    """See compaction_model.py."""
    uuids: int = 0
    faults: int = 0


@dataclass(frozen=True)
class Model:
    """The bounds of a search, and the rules that are left out."""

    owners: int = 2
    faults: int = 2
    claims: int = 2
    records: int = 2
    dropped: frozenset[str] = field(default_factory=frozenset)

    def start(self) -> State:
        return State(owners=(Owner(),) * self.owners)

    def follow(self, state: State) -> Iterator[tuple[str, State]]:
        """Every state that can come next, and what happened."""
        for late in state.late:
            after, _ = self.apply(state, late[1])
            yield f"late {show(late[1])} takes effect", replace(after, late=state.late - {late})
        for number, owner in enumerate(state.owners):
            yield from self.step(state, number, owner)

    def step(self, state: State, number: int, owner: Owner) -> Iterator[tuple[str, State]]:
        """The next step of one owner, with each way in which it can go."""
        who, tree = f"owner {number}", dict(state.tree)

        def moved(new: Owner, **more: object) -> State:
            owners = tuple(new if index == number else old for index, old in enumerate(state.owners))
            return replace(state, owners=owners, **more)  # type: ignore[arg-type]

        if owner.step == "idle":
            if owner.claims < self.claims:
                epoch = max((folder[0][0] for folder in tree), default=0) + 1
                new = Owner("make", (epoch, state.uuids + 1), (), 0, owner.claims + 1)
                yield f"{who} lists, and picks epoch {epoch}", moved(new, uuids=state.uuids + 1)
        elif owner.step == "make":
            yield from self.send(
                state, number, ("MKDIRS", (owner.name, True), ()), replace(owner, step="list")
            )
        elif owner.step == "list":
            if (
                max(folder[0] for folder in [*tree, (owner.name, True)]) > owner.name
                and "list again" not in self.dropped
            ):
                yield f"{who} lists again, gives way to a higher epoch", moved(replace(owner, step="idle"))
                return
            lower = tuple(sorted(folder for folder in tree if folder[1] and folder[0] != owner.name))
            if "seal before reading" in self.dropped:
                owner = replace(owner, next=tail(state.tree, sealed_only=False))
            yield f"{who} lists again", moved(replace(owner, step="seal", to_seal=lower))
        elif owner.step == "seal" and owner.to_seal:
            new = replace(owner, to_seal=owner.to_seal[1:])
            yield from self.send(state, number, ("SEAL", owner.to_seal[0], ()), new)
        elif owner.step == "seal":
            following = owner.next if "seal before reading" in self.dropped else tail(state.tree)
            yield (
                f"{who} reads the tail: {following} is next",
                moved(replace(owner, step="write", next=following)),
            )
        elif owner.step == "write" and owner.next < self.records:
            new = replace(owner, next=owner.next + 1, step="join")
            staged = replace(state, uuids=state.uuids + 1)  # CREATE, under a fresh name outside every epoch
            request = ("PUBLISH", (owner.name, True), (owner.next, staged.uuids))
            yield from self.send(staged, number, request, new)
        elif owner.step == "join":
            yield f"{who} goes on", moved(replace(owner, step="write"))
            if len(tree.get((owner.name, True), ())) > 1:  # whatever the answer: it only tidies up
                yield from self.send(
                    state, number, ("CONCAT", (owner.name, True), ()), replace(owner, step="write")
                )

    def send(self, state: State, number: int, request: Request, new: Owner) -> Iterator[tuple[str, State]]:
        """A request of an owner that changes something."""

        def then(owner: Owner) -> Callable[[State], State]:
            def after(state: State) -> State:
                owners = tuple(owner if index == number else old for index, old in enumerate(state.owners))
                return replace(state, owners=owners)

            return after

        old = state.owners[number]
        unclear = replace(old, step="idle", to_seal=(), next=0)
        if request[0] == "PUBLISH" and "start anew when unclear" in self.dropped:
            unclear = old  # sends the same records again
        if request[0] == "CONCAT":
            unclear = new
        yield from self.ask(state, f"owner {number}: {show(request)}", request, then(new), then(unclear))

    def ask(
        self, state: State, who: str, request: Request,
        clear: Callable[[State], State], unclear: Callable[[State], State],
    ) -> Iterator[tuple[str, State]]:  # fmt: skip
        """A request that changes something: answered; unanswered, in time or late; twice."""
        after, yes = self.apply(state, request)
        yield f"{who}, {'yes' if yes else 'no'}", (clear if yes else unclear)(after)
        if state.faults < self.faults:
            late, faults = state.late | {(state.faults, request)}, state.faults + 1
            yield f"{who}, the answer is lost", replace(unclear(after), faults=faults)
            yield f"{who}, given up, may come late", replace(unclear(state), late=late, faults=faults)
            if yes:
                yield f"{who}, yes, may come again", replace(clear(after), late=late, faults=faults)

    def apply(self, state: State, request: Request) -> tuple[State, bool]:
        """What the NameNode does: the state after it, and its answer."""
        kind, folder, what = request
        held = dict(state.tree)
        if kind == "PUBLISH":
            return self._publish(state, held, folder, *what)
        if kind == "MKDIRS":
            held.setdefault(folder, ())
        elif folder not in held:
            return state, False
        elif kind == "SEAL":
            pieces = held.pop(folder)
            held.setdefault(
                (folder[0], False), pieces
            )  # onto a folder that is there: it goes inside, out of sight
        elif held[folder]:  # CONCAT
            held[folder] = (tuple(offset for piece in held[folder] for offset in piece),)
        return replace(state, tree=frozenset(held.items())), True

    def _publish(
        self, state: State, held: dict, folder: Folder, offset: int, staged: int
    ) -> tuple[State, bool]:
        pieces = held.get(folder)  # RENAME makes no parents: a sealed epoch takes nothing more
        if pieces is None or staged in state.moved or any(piece[0] == offset for piece in pieces):
            return state, False
        held[folder] = (*pieces, (offset,))
        return replace(state, tree=frozenset(held.items()), moved=state.moved | {staged}), True

    def read(self, tree: Tree, merged: frozenset[Merged] = frozenset()) -> list[int]:
        """What a reader finds."""
        held, shown = dict(tree), max(merged, default=(0, 0, ()))
        return list(shown[2]) + [
            offset
            for (name, is_open), pieces in held.items()
            if name[0] > shown[0]
            and not (is_open and (name, False) in held and "sealed wins" not in self.dropped)
            for piece in pieces
            for offset in piece
        ]

    def fault(self, state: State) -> str | None:
        """What is wrong with a state: doubled, lost, or a dead end."""
        found = self.read(state.tree, state.merged)
        if len(found) != len(set(found)):
            return f"doubled: {sorted(found)}"
        if sorted(found) != list(range(len(found))):
            return f"lost: only {sorted(found)} are there"
        alone = Model(1, 0, 1, self.records, self.dropped)
        last = State(state.tree, owners=(Owner(),), merged=state.merged, uuids=state.uuids)
        while following := [after for _, after in alone.follow(last)]:
            last = following[0]
        if (there := sorted(self.read(last.tree, last.merged))) != list(range(self.records)):
            return f"dead end: a fresh owner alone stores {there}"
        return None


def tail(tree: Tree, sealed_only: bool = True) -> int:
    """The offset after the last of the newest epoch that holds any."""
    for folder, pieces in sorted(tree, reverse=True):
        if pieces and not (folder[1] and sealed_only):
            return pieces[-1][-1] + 1
    return 0


def search(model: Model, say: Callable[[str], object] = str) -> tuple[int, list[str] | None]:
    """All states: how many there are, and the shortest way to a wrong one, or None."""
    sound: set[tuple[Tree, frozenset[Merged]]] = set()

    def fault(state: State) -> str | None:
        if (state.tree, state.merged) in sound:
            return None
        found = model.fault(state)
        if not found:
            sound.add((state.tree, state.merged))
        return found

    return breadth_first(model.start(), model.follow, fault, say)


def show(request: Request) -> str:
    """A request in words."""
    kind, folder, what = request
    if not (isinstance(folder, tuple) and isinstance(folder[0], tuple)):  # of a model that builds on this one
        return f"{kind} {folder}"
    (number, uuid), _ = folder
    return f"{kind} epoch {number}-{uuid}" + (f" record {what[0]}" if what else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drop", choices=RULES, help="leave out a rule, and see what it prevents")
    parser.add_argument("--owners", type=int, default=2)
    parser.add_argument("--faults", type=int, default=2)
    parser.add_argument("--claims", type=int, default=2, help="by each owner")
    parser.add_argument("--records", type=int, default=2)
    args = parser.parse_args()
    dropped = frozenset([args.drop] if args.drop else [])
    states, wrong = search(Model(args.owners, args.faults, args.claims, args.records, dropped), print)
    print("\n".join(wrong) if wrong else "nothing wrong", f"({states:,} states)")


if __name__ == "__main__":
    main()
