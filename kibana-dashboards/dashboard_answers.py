"""Asks Elasticsearch what the panels of a dashboard want to know: one request, a second one for "all others"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from elasticsearch import ApiError, Elasticsearch, TransportError

from kafka_cluster.script import UserError
from panel_query import NotDrawn, Question, questions, search_body, wants_others
from panel_rows import Table, table, top_values
from saved_objects import Dashboard, Panel
from time_window import Window, window

Json = dict[str, Any]
Search = Callable[[Sequence[Question]], Sequence[Json]]
"""Asks questions: an answer to each."""


@dataclass
class Asked:
    """A panel, its questions with their answers, and why there are none."""

    questions: list[Question] = field(default_factory=list)
    answers: list[Json] = field(default_factory=list)
    refused: NotDrawn | None = None


def searcher(client: Elasticsearch) -> Search:
    """Asks the server. Raises UserError where it is away."""

    def search(asked: Sequence[Question]) -> Sequence[Json]:
        searches: list[Json] = []
        for question in asked:
            index = question.panel.view.indices
            searches += [{"index": index, "ignore_unavailable": True}, search_body(question)]
        try:
            return client.msearch(searches=searches)["responses"] if searches else []
        except (ApiError, TransportError) as error:
            raise UserError(f"Elasticsearch does not answer the dashboard's searches: {error}") from None

    return search


def answers(
    dashboard: Dashboard, span: Window, now: datetime, zone: ZoneInfo, search: Search
) -> list[Table | NotDrawn | None]:
    """The table of each panel; None for words, NotDrawn where there can be none."""
    asked = [_asked(panel, dashboard, span, now, zone) for panel in dashboard.panels]
    _put(asked, [each.questions for each in asked], search)
    _put(asked, [_others(each) for each in asked], search)
    return [_table(each) for each in asked]


def _asked(panel: Panel, dashboard: Dashboard, span: Window, now: datetime, zone: ZoneInfo) -> Asked:
    if panel.shape == "markdown":
        return Asked()
    own = window(*panel.time_range, now, zone) if panel.time_range else span
    try:
        wanted = questions(panel, own, zone, dashboard.filters)
        for question in wanted:
            search_body(question)
        return Asked(wanted)
    except NotDrawn as reason:
        return Asked(refused=reason)


def _put(asked: list[Asked], wanted: list[list[Question]], search: Search) -> None:
    """Ask all at once, and give each panel its answers."""
    found = iter(search([question for each in wanted for question in each]))
    for each, its in zip(asked, wanted, strict=True):
        for question in its:
            answer = next(found)
            if "error" in answer:
                each.refused = NotDrawn(f"Elasticsearch refuses the search: {_reason(answer['error'])}")
            elif answer.get("timed_out") or answer.get("_shards", {}).get("failed"):
                each.refused = NotDrawn("Elasticsearch could not look at all shards: try again")
            if question.others is not None:
                each.questions.append(question)
            each.answers.append(answer)


def _others(asked: Asked) -> list[Question]:
    """The question for all that the first column does not show by name."""
    if asked.refused or not asked.questions or not wants_others(asked.questions[0].panel):
        return []
    return [replace(asked.questions[0], others=top_values(asked.questions[0], asked.answers[0]))]


def _table(asked: Asked) -> Table | NotDrawn | None:
    if asked.refused or not asked.questions:
        return asked.refused
    return table(list(zip(asked.questions, asked.answers, strict=True)))


def _reason(error: Json) -> str:
    causes = error.get("root_cause") or [error]
    return str(causes[0].get("reason", error.get("type")))[:200]
