"""Readers of a simulated X, ended after their test."""

from collections.abc import Iterator

import pytest

from x_stream import StreamReader


@pytest.fixture
def readers() -> Iterator[list[StreamReader]]:
    """Append what was started."""
    started: list[StreamReader] = []
    yield started
    for reader in started:
        reader.stop()
