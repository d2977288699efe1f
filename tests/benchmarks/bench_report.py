"""Figures -> Markdown for both READMEs, in English and Korean, and the chart's data. No figure is made up here."""

import json
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench_peers import CLIENTS, ELASTICSEARCH, GROUP_A, GROUP_B, HDFS
from bench_results import Results, Row, median, spread
from bench_words import WHY, WORDS
from kafka_cluster.script import ROOT
from test_producing import OURS, PRODUCERS

READMES = {"en": ROOT / "README.md", "ko": ROOT / "README.ko.md"}
CHART = ROOT / "assets" / "bench.json"
BEGIN, END = "<!-- bench: written by run.py bench --write-readme -->", "<!-- /bench -->"
BUSY = 0.2
"""Cores that other work may have before the report says so."""
LIMIT, CHUNK = "`_bulk`, 2 connections", "WebHDFS CREATE, 16 MB"


@dataclass(frozen=True)
class Line:
    """One line of a table: the figures of its rounds, and what became of it when killed."""

    name: str
    rows: list[Row]
    kills: list[Row]

    @property
    def rate(self) -> float | None:
        """Records a second, the median."""
        return median(self.rows, "rate")


def tables(results: Results, language: str) -> str:
    """All tables that there are figures for."""
    words = WORDS[language]
    parts = [
        _sink(results, words, language, ELASTICSEARCH, GROUP_A.name, LIMIT),
        _sink(results, words, language, HDFS, GROUP_B.name, CHUNK),
        _producing(results, words),
        _freshness(results, words),
        _growth(results, words),
        _footer(results, words),
    ]
    return "\n\n".join(part for part in parts if part)


def _sink(results: Results, words: Row, language: str, sink: str, ours: str, limit_name: str) -> str:
    lines = [
        Line(client.name, results.of("peers", client.name), results.of("kills", client.name))
        for client in CLIENTS
        if client.sink == sink and results.of("peers", client.name)
    ]
    if not lines:
        return ""
    limits = [Line(name, results.of("limits", name), []) for name in results.names("limits")]
    limits = [line for line in limits if line.rows[0]["sink"] == sink]
    limit = next((line.rate for line in limits if line.name == limit_name), None)
    mine = next(line for line in lines if line.name == ours)
    table = [_row(words["head"]), _row(["---", *["---:"] * (len(words["head"]) - 1)])]
    for line in (*limits, *lines):
        table.append(_row(_cells(line, words, limit, line is mine)))
    said = [*_standing(lines, mine, results, words), *_ahead(lines, mine, words, language)]
    return "\n".join([f"**{words[sink]}**", "", *table, "", *(f"- {each}" for each in said)]).strip()


def _cells(line: Line, words: Row, limit: float | None, bold: bool) -> list[str]:
    name = words["names"].get(line.name, line.name)
    name = f"**{name}**" if bold else name
    if not line.rate:
        reason = next((row.get("missing") for row in line.rows if row.get("missing")), None)
        said = f"{words['missing']}: {reason}" if reason else words["failed"]
        return [name, said, *[""] * (len(words["head"]) - 2)]
    least, most = spread(line.rows, "rate")
    return [
        name, f"{line.rate:,.0f} ({least:,.0f}–{most:,.0f})", f"{line.rate / limit:.0%}" if limit else "",
        _number(line.rows, "client"), _number(line.rows, "server"), _number(line.rows, "resident", ",.0f"),
        _number(line.rows, "before"), _killed(line.kills, words),
    ]  # fmt: skip


def _killed(kills: list[Row], words: Row) -> str:
    counted = [row for row in kills if "lost" in row]
    if not counted:
        return words["failed"] if kills else ""
    lost, doubled, torn = (sum(row[key] for row in counted) for key in ("lost", "doubled", "torn"))
    said = f"{lost:,} / {doubled:,}" + (f", {torn:,} {words['torn']}" if torn else "")
    return said if len(counted) == len(kills) else f"{said} ({len(counted)} {words['of']} {len(kills)})"


def _standing(lines: list[Line], mine: Line, results: Results, words: Row) -> list[str]:
    """How fast ours is beside those that can be trusted with the job, and beside reading alone."""
    said, name = [], words["names"].get(mine.name, mine.name)
    safe = [line for line in lines if line is not mine and line.rate and _is_safe(line)]
    if safe and mine.rate:
        best = max(safe, key=lambda line: line.rate or 0)
        other = words["names"].get(best.name, best.name)
        said.append(words["standing"].format(name, f"{mine.rate / (best.rate or 1):.2f}", other))
    reading = median(results.of("reading", "kafka-python"), "rate")
    if reading and mine.rate and mine.name == GROUP_B.name:  # for group A Elasticsearch is the measure
        said.append(words["of_reading"].format(name, f"{mine.rate / reading:.2f}"))
    return said


def _is_safe(line: Line) -> bool:
    return bool(line.kills) and all(
        row.get("lost") == row.get("doubled") == row.get("torn") == 0 for row in line.kills
    )


def _ahead(lines: Iterable[Line], mine: Line, words: Row, language: str) -> list[str]:
    """A sentence for each peer that is faster, or takes less CPU."""
    said = []
    for line in lines:
        if line is mine or not line.rate or not mine.rate:
            continue
        faster = line.rate > mine.rate
        cheaper = (median(line.rows, "client") or 0) < (median(mine.rows, "client") or 0)
        if faster or cheaper:
            how = words["both"] if faster and cheaper else words["faster"] if faster else words["cheaper"]
            name = words["names"].get(line.name, line.name)
            said.append(words["ahead"].format(name, how, WHY[language][line.name]))
    return said


def _producing(results: Results, words: Row) -> str:
    lines = [
        Line(name, results.of("producing", name), []) for name in PRODUCERS if results.of("producing", name)
    ]
    if not lines:
        return ""
    rounds, *head = words["producing_head"]
    table = [_row([rounds.format(len(lines[0].rows)), *head]), _row(["---", *["---:"] * len(head)])]
    for line in lines:
        name = words["names"].get(line.name, line.name)
        if not line.rate:
            table.append(_row([name, f"{words['missing']}: {line.rows[0].get('missing')}", *[""] * 4]))
            continue
        least, most = spread(line.rows, "rate")
        table.append(_row([
            f"**{name}**" if line.name == OURS else name, f"{line.rate:,.0f} ({least:,.0f}–{most:,.0f})",
            _number(line.rows, "client"), _number(line.rows, "server"), _number(line.rows, "resident", ",.0f"),
            _number(line.rows, "before"),
        ]))  # fmt: skip
    alone = {name: results.of("reading", name) for name in results.names("reading")}
    reading = [
        f"{words['names'].get(name, name)} {median(rows, 'rate'):,.0f} ({median(rows, 'client'):.2f})"
        for name, rows in alone.items()
    ]
    said = [words["reading"].format(", ".join(reading))] if reading else []
    return "\n".join([f"**{words['producing']}**", "", *table, "", *said]).strip()


def _freshness(results: Results, words: Row) -> str:
    rows = [row for row in results.rows if row["part"].startswith("freshness ")]
    if not rows:
        return ""
    table = [_row(words["freshness_head"]), _row(["---:", "---", "---:", "---:", "---:"])]
    for row in sorted(rows, key=lambda row: (row["rate"], row["what"] != "searchable")):
        missed = f", {words['missed']}" if row["p99"] > row["goal"] else ""
        table.append(_row([
            _came(row, words), words["names"].get(row["what"], row["what"]), f"{row['p50']:.2f} s",
            f"{row['p99']:.2f} s", f"{row['goal']:.1f} s{missed}",
        ]))  # fmt: skip
    return "\n".join([f"**{words['freshness']}**", "", *table])


def _came(row: Row, words: Row) -> str:
    """The rate that was asked for, and the one that came where it was less."""
    came = words["came"].format(row["reached"]) if row["reached"] < 0.9 * row["rate"] else ""
    return f"{row['rate']:,}{came}"


def _growth(results: Results, words: Row) -> str:
    said = []
    for group in (GROUP_A.name, GROUP_B.name):
        rows = results.of("growth", group)
        if rows:
            costs = ", ".join(
                f"{row['records']:,}: {row['client']:.2f} s, {row['resident']:.0f} MB" for row in rows
            )
            said.append(words["growth"].format(words["names"][group], costs))
        rows = results.of("processes", group)
        if rows:
            rates = ", ".join(
                f"{row['processes']}: {row['rate']:,.0f}/s, {row['client']:.2f} s" for row in rows
            )
            said.append(words["processes"].format(words["names"][group], rates))
    at_once = [
        [median(results.of("at once", f"{group}, {how}"), "client") for how in ("alone", "at once")]
        for group in (GROUP_A.name, GROUP_B.name)
    ]
    if all(one and other for one, other in at_once):
        alone, together = (sum(pair[side] or 0 for pair in at_once) for side in (0, 1))
        said.append(words["at_once"].format(f"{together / alone:.2f}"))
    claims = []
    for files in sorted({row["files"] for row in results.of("claim")}):
        seconds = statistics.median(row["seconds"] for row in results.of("claim") if row["files"] == files)
        claims.append(f"{files:,}: {seconds:.2f} s")
    if claims:
        said.append(words["claim"].format(", ".join(claims)))
    return "\n".join(f"- {each}" for each in said)


def _footer(results: Results, words: Row) -> str:
    rows = results.of("peers") or results.rows
    if not rows:
        return ""
    machine = results.machines.get("peers") or next(iter(results.machines.values()))
    rounds = 1 + max((row.get("round", 0) for row in results.of("peers")), default=0)
    kills = 1 + max((row.get("kill", 0) for row in results.of("kills")), default=0)
    said = words["footer"].format(
        rounds=rounds,
        kills=kills,
        cores=machine["cores"],
        memory=machine["memory_gb"],
        commits=", ".join(
            sorted({f"{part['commit']} ({part['at'][:10]})" for part in results.machines.values()})
        ),
    )
    others = median(results.rows, "others") or 0.0
    if others > BUSY:
        said += words["busy"].format(f"{others:.1f}")
    return said


def _number(rows: list[Row], key: str, form: str = ".1f") -> str:
    found = median(rows, key)
    return "" if found is None else f"{found:{form}}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_readmes(results: Results) -> None:
    """Put the chart and the tables between the markers of both pages."""
    for language, page in READMES.items():
        text = page.read_text(encoding="utf-8")
        between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
        if not between.search(text):
            raise AssertionError(f"{page.name} has no place for the tables: {BEGIN} ... {END}")
        picture = f"![{WORDS[language]['chart']}](assets/{CHART.with_suffix('.svg').name})"
        written = f"{BEGIN}\n{picture}\n\n{tables(results, language)}\n{END}"
        page.write_text(between.sub(lambda _, written=written: written, text), encoding="utf-8")


def write_chart(results: Results) -> None:
    """The medians of the clients, for assets/draw.py; without those so slow that the other bars could not be seen."""
    bars: list[dict[str, Any]] = []
    for client in (client for client in CLIENTS if not client.most):
        rows = results.of("peers", client.name)
        if rate := median(rows, "rate"):
            least, most = spread(rows, "rate")
            bars.append({
                "sink": client.sink, "who": client.name.replace("`", ""), "ours": client.ours, "rate": round(rate),
                "least": round(least), "most": round(most), "cpu": round(median(rows, "client") or 0, 2),
            })  # fmt: skip
    CHART.write_text(json.dumps(bars, indent=1) + "\n", encoding="utf-8")
