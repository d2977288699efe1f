"""The tables and the chart once more, from the figures of earlier runs: `run.py bench -k report --write-readme`."""

from bench_results import Results


def test_report(results: Results) -> None:
    assert results.rows, "nothing has been measured yet: python3 run.py bench"
