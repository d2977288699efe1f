"""The rules of the filtered stream: which tweets X sends. They live on X's side; the file says what they should be."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import tweepy

from kafka_cluster.plain_text import printable
from kafka_cluster.script import ROOT, UserError
from x_session import direct, in_words, refusal

log = logging.getLogger(__name__)

MAX_RULES, MAX_RULE_LENGTH = 1_000, 1_024  # pay per use, as X's documents stood in August 2026
RULES_A_REQUEST = 100
NO_REFUSALS = ("DuplicateRule",)
"""Titles of what X calls an error, and is none."""


@dataclass(frozen=True, order=True)
class Rule:
    """What a tweet must match, and the name under which it is reported."""

    value: str
    tag: str


@dataclass(frozen=True)
class Difference:
    """X's rules against the file's: in both, only in the file, only on X's side (with their ids)."""

    kept: list[Rule]
    missing: list[Rule]
    superfluous: list[tuple[str, Rule]]

    def __str__(self) -> str:
        lines = [f"  {rule.tag}: {rule.value}" for rule in self.kept]
        lines += [f"+ {rule.tag}: {rule.value}" for rule in self.missing]
        lines += [f"- {rule.tag}: {rule.value}" for _, rule in self.superfluous]
        return "\n".join(map(printable, lines))


def read_rules(file: str) -> list[Rule]:
    """Read a rules file: `tag: rule` a line, # starts a comment. Raises UserError with every fault."""
    path = Path(file) if Path(file).is_absolute() else ROOT / file
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"can't read the rules ({path}): {why}; rules.example.txt shows how one looks"
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


def rules_client(token: str, url: str) -> tweepy.StreamingClient:
    """A client for the rules."""
    client = tweepy.StreamingClient(token, return_type=dict)
    direct(client.session, url)
    return client


def bring_in_line(client: tweepy.StreamingClient, wanted: list[Rule]) -> Difference:
    """Make X's rules those of the file, by value and tag.

    Nothing is changed unless X takes all of them. Raises UserError with what X says of those it refuses.
    """
    with _asking():
        difference = compare(client, wanted)
        if difference.missing:
            _raise_refused(refusals(client, difference.missing))
        old = [id_ for id_, _ in difference.superfluous]
        for ids in _parts(old):
            client.delete_rules(ids)  # first: a rule whose tag is new has an old value
        _raise_refused(_add(client, difference.missing))
    log.info("rules: %d wanted, %d added, %d removed", len(wanted), len(difference.missing), len(old))
    return difference


def compare(client: tweepy.StreamingClient, wanted: list[Rule]) -> Difference:
    """Ask X for its rules, which costs nothing. Raises UserError where it refuses."""
    with _asking():
        data = client.get_rules().get("data") or []
        there = [(rule["id"], Rule(rule["value"], rule.get("tag") or "")) for rule in data]
        rules = {rule for _, rule in there}
    return Difference(
        [rule for _, rule in there if rule in wanted],
        [rule for rule in wanted if rule not in rules],
        [(id_, rule) for id_, rule in there if rule not in wanted],
    )


def refusals(client: tweepy.StreamingClient, rules: list[Rule]) -> list[str]:
    """What X says of those rules that it would refuse; changes nothing. Raises UserError."""
    with _asking():
        return _add(client, rules, dry_run="true")  # tweepy would send a bool as "True"


def _add(client: tweepy.StreamingClient, rules: list[Rule], **options: str) -> list[str]:
    refused = []
    for part in _parts(rules):
        answer = client.add_rules([tweepy.StreamRule(rule.value, rule.tag) for rule in part], **options)
        tags = {rule.value: rule.tag for rule in part}
        refused += [
            _refusal(error, tags)
            for error in answer.get("errors", [])
            if error.get("title") not in NO_REFUSALS
        ]
    return refused


def _raise_refused(refused: list[str]) -> None:
    if refused:
        raise UserError("X refuses rules:\n  " + "\n  ".join(refused))


def _refusal(error: dict[str, Any], tags: dict[str, str]) -> str:
    details = error.get("details") or [error.get("detail") or error.get("title", "")]
    value = str(error.get("value", "?"))
    return f"{tags.get(value, '?')}: {value[:80]}: {in_words(' '.join(map(str, details)))}"


def _parts(items: list[Any]) -> list[list[Any]]:
    return [items[start : start + RULES_A_REQUEST] for start in range(0, len(items), RULES_A_REQUEST)]


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except tweepy.HTTPException as error:
        raise (
            refusal("the rules", error.response)
            or UserError(f"X does not answer for the rules just now (HTTP {error.response.status_code})")
        ) from None
    except (
        requests.RequestException, ValueError, KeyError, AttributeError, TypeError, RecursionError,
    ) as error:  # fmt: skip
        raise UserError(f"can't ask X for the rules: {type(error).__name__}") from None
