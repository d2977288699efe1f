"""The sums of docs/costs.md, from the inputs that stand there.

python3 tests/cost_model.py            the table of results
... | python tests/cost_model.py -     what a tweet takes, of JSON lines on standard input
"""

import re
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from math import ceil
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "costs.md"
RATES = (100, 1_000, 5_000)
SCALES = [*((rate, 2) for rate in RATES), (5_000, 10)]
"""Tweets a second, and consumer groups."""
HOURS, GB, DAY = 730, 2**30, 86_400
SECONDS = HOURS * 3600
SHARING_GROUPS = 5  # a shard answers five reads a second, of all groups together
Inputs = dict[str, float]


def inputs(page: Path = PAGE) -> Inputs:
    """The values of the page's tables of inputs, by name."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", page.read_text(encoding="utf-8"), re.M)
    return {name: float(value.replace(",", "")) for name, value in rows}


def kinesis_provisioned(x: Inputs, rate: int, groups: int) -> float:
    sharing = groups <= SHARING_GROUPS
    mib = rate * x["record_bytes"] / 2**20
    shards = ceil(x["headroom"] * max(rate / 1000, mib, groups * mib / 2 if sharing else 0))
    cost = shards * HOURS * (x["shard_hour"] + x["shard_retention_hour"]) + rate * SECONDS / 1e6 * x["puts"]
    fan_out = shards * HOURS * x["fan_out_hour"] + month_gb(x, rate) * x["fan_out_gb"]
    return cost if sharing else cost + groups * fan_out


def kinesis_on_demand(x: Inputs, rate: int, groups: int) -> float:
    out = x["on_demand_out"] if groups <= SHARING_GROUPS else x["on_demand_fan_out"]
    beyond_a_day = rate * x["record_bytes"] * (x["retention_days"] - 1) * DAY / GB
    return (
        HOURS * x["stream_hour"]
        + rate * x["billed_bytes"] * SECONDS / GB * x["on_demand_in"]
        + groups * month_gb(x, rate) * out
        + beyond_a_day * x["on_demand_retention"]
    )


def msk(x: Inputs, rate: int, groups: int) -> float:
    between_zones = (1 + groups) * 2 / 3 * month_gb(x, rate, "kept_bytes")
    return (
        x["brokers"] * HOURS * x["msk_broker_hour"]
        + disk_gb(x, rate) * x["msk_disk"]
        + between_zones * x["between_zones"]
    )


def own_on_ec2(x: Inputs, rate: int, groups: int) -> float:
    between_zones = ((1 + groups) * 2 / 3 + x["replicas"] - 1) * month_gb(x, rate, "kept_bytes")
    return (
        x["brokers"] * HOURS * x["ec2_hour"]
        + disk_gb(x, rate) * x["ec2_disk"]
        + between_zones * x["between_zones"]
        + x["work_hours"] * x["work_price"]
    )


def own_machines(x: Inputs, rate: int, groups: int) -> float:
    bought = x["brokers"] * x["machine_price"] + disk_gb(x, rate) * x["disk_price"]
    power = x["brokers"] * x["watts"] / 1000 * HOURS * x["kwh_price"]
    return bought / x["machine_months"] + power + x["work_hours"] * x["work_price"]


def posts_of_x(x: Inputs, rate: int, groups: int) -> float:
    return rate * SECONDS * x["post_price"]


WAYS: list[Callable[[Inputs, int, int], float]] = [
    kinesis_provisioned, kinesis_on_demand, msk, own_on_ec2, own_machines, posts_of_x,
]  # fmt: skip


def month_gb(x: Inputs, rate: int, size: str = "record_bytes") -> float:
    """What is written in a month; `kept_bytes` depend on the rate."""
    return rate * x[f"{size}_{rate}" if size == "kept_bytes" else size] * SECONDS / GB


def disk_gb(x: Inputs, rate: int) -> float:
    """Kafka's disks, all replicas."""
    seconds = x["retention_days"] * DAY
    return rate * x[f"kept_bytes_{rate}"] * seconds * x["replicas"] * x["headroom"] / GB


def results(x: Inputs) -> list[list[str]]:
    """Dollars a month: a row for each way, a cell for each scale."""
    return [[f"{way(x, *scale):,.0f}" for scale in SCALES] for way in WAYS]


def measured(lines: Iterable[bytes]) -> Inputs:
    """Bytes of a tweet as X sends it, as Kinesis bills it on demand, and as it lies in Kafka's log at each rate.

    At so many a second, a partition's batch holds what comes to it within `linger_ms`.
    """
    from kafka.record.memory_records import MemoryRecordsBuilder

    from kafka_cluster.kafka_options import producer_options
    from kafka_cluster.message import tweet_record
    from kafka_cluster.settings import Settings
    from kafka_cluster.topics import wanted_topics

    options, partitions = producer_options(Settings()), wanted_topics(Settings())[0].partitions
    records = [tweet_record(line, "simulator") for line in lines]
    sizes = [len(record.value) for record in records]
    found = {
        "record_bytes": sum(sizes) / len(sizes),
        "billed_bytes": sum(ceil(size / 1024) * 1024 for size in sizes) / len(sizes),
    }
    for rate in RATES:
        kept, together = 0, max(1, round(rate * options["linger_ms"] / 1000 / partitions))
        for first in range(0, len(records), together):
            builder = MemoryRecordsBuilder(2, 3, options["batch_size"])  # message format 2, lz4
            for record in records[first : first + together]:
                builder.append(0, record.key, record.value, record.headers)
            builder.close()
            kept += builder.size_in_bytes()
        found[f"kept_bytes_{rate}"] = kept / len(records)
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        for name, value in measured(islice(sys.stdin.buffer, 20_000)).items():
            print(f"{name:<16} {value:,.0f}")
    else:
        for way, cells in zip(WAYS, results(inputs()), strict=True):
            print(f"{way.__name__:<20}", *(f"{cell:>12}" for cell in cells))
