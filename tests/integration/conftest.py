"""Each test gets a pipeline of its own on the one cluster of the session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import Pipeline


@pytest.fixture
def pipeline(cluster: Any, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline of the test's own, removed afterwards."""
    pipeline = Pipeline(cluster.env, tmp_path)
    try:
        yield pipeline
    finally:
        pipeline.tidy()
