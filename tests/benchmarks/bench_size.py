"""How much a benchmark does, by variables of the environment."""

import os


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


def _numbers(name: str, default: str) -> list[int]:
    return [int(number) for number in os.environ.get(name, default).split(",")]


ROUNDS = _number("bench_rounds", 5)
RECORDS = _number("bench_records", 200_000)
KILLS = _number("bench_kills", 10)
KILL_RECORDS = _number("bench_kill_records", 30_000)
FRESH_SECONDS = _number("bench_fresh_seconds", 60)
RATES = _numbers("bench_rates", "100,1000,3000")
GROWTH = _numbers("bench_growth", "100000,300000,1000000")
PROCESSES = _numbers("bench_processes", "1,2,3,6")
CLAIM_FILES = _number("bench_claim_files", 10_000)
