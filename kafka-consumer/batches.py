"""Many things, some at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(found: Iterable[T], most: int, size: Callable[[T], int] = lambda _: 1) -> Iterator[list[T]]:
    """Lists in order, each closed as soon as its things are `most` or more in sum; without `size` they are counted."""
    batch: list[T] = []
    total = 0
    for each in found:
        batch.append(each)
        total += size(each)
        if total >= most:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
