"""The mapping of the tweets' index, and whether a document fits it."""

import json
from typing import Any

from elasticsearch_index import INDEX_FILE

MAPPING = json.loads(INDEX_FILE.read_text(encoding="utf-8"))["mappings"]["properties"]
TYPES: dict[str, Any] = {
    "keyword": str, "text": str, "date": str, "long": int, "byte": int, "boolean": bool, "geo_point": dict,
}  # fmt: skip


def assert_fits(made: dict, mapping: dict = MAPPING) -> None:
    """Every field is in the mapping, and its value is of a type that Elasticsearch takes."""
    for name, value in made.items():
        if "properties" in mapping[name]:
            assert_fits(value, mapping[name]["properties"])
            continue
        kind = mapping[name]["type"]
        for item in value if isinstance(value, list) else [value]:
            assert type(item) is TYPES[kind], f"{name}: {item!r} is no {kind}"
            if kind == "long":
                assert -(2**63) <= item < 2**63
            if kind == "date":
                assert len(item) == 24 and item.endswith("Z")
