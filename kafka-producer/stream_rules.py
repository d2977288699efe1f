"""The rules of the filtered stream: which tweets X sends. They live on X's side; the file says what they should be."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tweepy

from kafka_cluster.script import ROOT, UserError
from x_session import in_words

log = logging.getLogger(__name__)

MAX_RULES, MAX_RULE_LENGTH = 1_000, 1_024  # pay per use, as X's documents stood in August 2026


@dataclass(frozen=True, order=True)
class Rule:
    """What a tweet must match, and the name under which it is reported."""

    value: str
    tag: str


def read_rules(file: str) -> list[Rule]:
    """Read a rules file: `tag: rule` a line, # starts a comment. Raises UserError with every fault."""
    path = Path(file) if Path(file).is_absolute() else ROOT / file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"can't read the rules ({path}): {error}; rules.example.txt shows how one looks"
        ) from None
    rules, faults = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        tag, colon, value = (part.strip() for part in line.partition(": "))
        if not colon or not tag or not value:
            faults.append(f"line {number}: expected  tag: rule")
        elif len(value) > MAX_RULE_LENGTH:
            faults.append(f"line {number}: {len(value):,} characters, X takes {MAX_RULE_LENGTH:,}")
        else:
            rules.append(Rule(value, tag))
    if len(set(rules)) > MAX_RULES:
        faults.append(f"{len(rules):,} rules, X takes {MAX_RULES:,}")
    if not rules and not faults:
        faults.append("there is no rule in it: the stream would be refused")
    if faults:
        raise UserError(f"can't use the rules ({path}):\n  " + "\n  ".join(faults))
    return sorted(set(rules))


def bring_in_line(client: tweepy.StreamingClient, wanted: list[Rule]) -> None:
    """Make X's rules those of the file, by value and tag. Raises UserError with what X says of those it refuses."""
    try:
        there = {Rule(rule["value"], rule.get("tag") or ""): rule["id"] for rule in _data(client.get_rules())}
        old = [id_ for rule, id_ in there.items() if rule not in wanted]
        if old:
            client.delete_rules(old)
        new = [tweepy.StreamRule(rule.value, rule.tag) for rule in wanted if rule not in there]
        errors = client.add_rules(new).get("errors", []) if new else []
    except tweepy.HTTPException as error:
        raise UserError(f"X refuses the rules: {in_words(str(error))}") from None
    refused = [error for error in errors if error.get("title") != "DuplicateRule"]
    if refused:
        raise UserError("X refuses rules:\n  " + "\n  ".join(_refusal(error) for error in refused))
    log.info("rules: %d wanted, %d added, %d removed", len(wanted), len(new), len(old))


def _data(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return answer.get("data") or []


def _refusal(error: dict[str, Any]) -> str:
    details = error.get("details") or [error.get("title", "")]
    return f"{error.get('value', '?')}: {in_words(' '.join(map(str, details)))}"
