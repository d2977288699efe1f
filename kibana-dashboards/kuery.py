"""Kibana's query language KQL -> Elasticsearch's query DSL: field: value, ranges, and, or, not, brackets, *."""

import re
from typing import Any

from kafka_cluster.script import UserError

Json = dict[str, Any]

TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"(?:\\.|[^"\\])*")|(?P<sign><=|>=|[:<>()])|(?P<word>(?:\\.|[^\s:<>()"])+))'
)
RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
Token = tuple[str, str]


def kuery(text: str) -> Json:
    """The query that the words mean; nothing means all. Raises UserError at what is no KQL."""
    tokens = _tokens(text)
    if not tokens:
        return {"match_all": {}}
    query = _either(tokens, text)
    if tokens:
        raise _wrong(text)
    return query


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise _wrong(text)
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return found


def _either(tokens: list[Token], text: str) -> Json:
    return _joined(tokens, text, "or", _all, lambda parts: {"should": parts, "minimum_should_match": 1})


def _all(tokens: list[Token], text: str) -> Json:
    return _joined(tokens, text, "and", _one, lambda parts: {"filter": parts})


def _joined(tokens: list[Token], text: str, word: str, part: Any, body: Any) -> Json:
    parts = [part(tokens, text)]
    while _next_is(tokens, word):
        tokens.pop(0)
        parts.append(part(tokens, text))
    return parts[0] if len(parts) == 1 else {"bool": body(parts)}


def _one(tokens: list[Token], text: str) -> Json:
    if _next_is(tokens, "not"):
        tokens.pop(0)
        return {"bool": {"must_not": [_one(tokens, text)]}}
    if _take(tokens, "("):
        query = _either(tokens, text)
        if not _take(tokens, ")"):
            raise _wrong(text)
        return query
    return _comparison(tokens, text)


def _comparison(tokens: list[Token], text: str) -> Json:
    if len(tokens) < 3 or tokens[0][0] != "word" or tokens[1][1] not in {":", *RANGES}:
        raise _wrong(text)
    field, sign = _plain(tokens.pop(0)), tokens.pop(0)[1]
    if sign != ":":
        return {"range": {field: {RANGES[sign]: _plain(tokens.pop(0))}}}
    if not _take(tokens, "("):
        return _value(field, tokens, text)
    values = [_value(field, tokens, text)]
    while _next_is(tokens, "or"):
        tokens.pop(0)
        values.append(_value(field, tokens, text))
    if not _take(tokens, ")"):
        raise _wrong(text)
    return {"bool": {"should": values, "minimum_should_match": 1}}


def _value(field: str, tokens: list[Token], text: str) -> Json:
    if not tokens or tokens[0][0] == "sign":
        raise _wrong(text)
    token = kind, written = tokens.pop(0)
    if kind == "quoted":
        return {"match_phrase": {field: _plain(token)}}
    if written == "*":
        return {"exists": {"field": field}}
    if "*" in written:
        return {"wildcard": {field: {"value": written}}}
    return {"match": {field: _plain(token)}}


def _next_is(tokens: list[Token], word: str) -> bool:
    return bool(tokens) and tokens[0][0] == "word" and tokens[0][1].lower() == word


def _take(tokens: list[Token], sign: str) -> bool:
    if tokens and tokens[0] == ("sign", sign):
        tokens.pop(0)
        return True
    return False


def _plain(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1].strip('"') if token[0] == "quoted" else token[1])


def _wrong(text: str) -> UserError:
    return UserError(
        f"can't read the query {text!r}: of KQL, field: value, ranges, and, or, not and () are known"
    )
