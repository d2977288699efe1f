"""The rules of the simulated X's stream: added, refused and deleted as X does it."""

import itertools
from collections.abc import Iterable
from typing import Any

from kafka_cluster.message import timestamp

Json = dict[str, Any]

MOST_RULES, LONGEST_RULE = 1_000, 1_024
PROBLEM = "https://api.twitter.com/2/problems/"


class Rules:
    """What a client has asked to match. Answers are as X words them: refusals come in `errors` of a success."""

    def __init__(self) -> None:
        self._rules: dict[str, Json] = {}
        self._numbers = itertools.count(1_866_021_953_423_000_001)

    def __len__(self) -> int:
        return len(self._rules)

    def matching(self) -> list[Json]:
        """As tweets name them."""
        return [{"id": id_, "tag": rule.get("tag", "")} for id_, rule in self._rules.items()]

    def all(self) -> Json:
        """The answer to GET."""
        meta = {"sent": timestamp(), "result_count": len(self._rules)}
        return ({"data": list(self._rules.values())} if self._rules else {}) | {"meta": meta}

    def add(self, asked: Iterable[Json], dry_run: bool) -> Json:
        """Add rules; each is created, or refused with a reason."""
        created: dict[str, Json] = {}
        errors: list[Json] = []
        values = {rule["value"]: id_ for id_, rule in self._rules.items()}
        for rule in asked:
            value, tag = str(rule.get("value", "")), rule.get("tag")
            if error := self._refusal(value, values, len(self._rules) + len(created)):
                errors.append(error)
            else:
                id_ = str(next(self._numbers))
                created[id_] = {"id": id_, "value": value} | ({"tag": tag} if tag else {})
                values[value] = id_
        if not dry_run:
            self._rules |= created
        summary = {
            "created": len(created),
            "not_created": len(errors),
            "valid": len(created),
            "invalid": len(errors),
        }
        return _answer(list(created.values()), errors, summary)

    def delete(self, ids: Iterable[str], values: Iterable[str], dry_run: bool) -> Json:
        """Delete rules by id or by value."""
        by_value = {rule["value"]: id_ for id_, rule in self._rules.items()}
        asked = [str(id_) for id_ in ids] + [by_value.get(value, "") for value in values]
        gone = {id_ for id_ in asked if id_ in self._rules}
        if not dry_run:
            self._rules = {id_: rule for id_, rule in self._rules.items() if id_ not in gone}
        missing = {
            "title": "Invalid Request",
            "detail": "Rule does not exist",
            "type": f"{PROBLEM}invalid-request",
        }
        errors = [missing for id_ in asked if id_ not in gone]
        return _answer([], errors, {"deleted": len(gone), "not_deleted": len(errors)})

    def _refusal(self, value: str, values: dict[str, str], count: int) -> Json | None:
        if value in values:
            return {
                "value": value,
                "id": values[value],
                "title": "DuplicateRule",
                "type": f"{PROBLEM}duplicate-rules",
            }
        if not 0 < len(value.strip()) <= LONGEST_RULE:
            details = [f"rule must be 1 to {LONGEST_RULE} characters long"]
            return {
                "value": value, "details": details, "title": "UnprocessableEntity", "type": f"{PROBLEM}invalid-rules"
            }  # fmt: skip
        if count >= MOST_RULES:
            return {"value": value, "title": "RulesCapExceeded", "type": f"{PROBLEM}rule-cap"}
        return None


def _answer(data: list[Json], errors: list[Json], summary: Json) -> Json:
    parts = {"data": data, "errors": errors, "meta": {"sent": timestamp(), "summary": summary}}
    return {name: part for name, part in parts.items() if part}
