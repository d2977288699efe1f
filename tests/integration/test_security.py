"""What a tweet says steers nothing, and a secret is nowhere but in .env: tried with every script, also where it fails.

tests/integration/test_preview.py opens a page of hostile tweets in a browser; SECURITY.md says what else is guarded.
"""

import contextlib
import itertools
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from clusters import PASSWORDS
from hdfs_client import HdfsClient
from kafka_cluster.plain_text import TURNING
from kafka_cluster.script import ROOT
from pipeline import Pipeline, wait_until
from sample import id_of, tweet_lines

CONTROL = {chr(code) for code in (*range(32), *range(127, 160), 0x2028, 0x2029)} | TURNING
# A title for the terminal, its clipboard, a colour, a forged line of log, a turn of direction; markup, a page, a path,
# a formula, a look-up, a format.
HOSTILE = (
    "\x1b]0;taken\x07\x1b]52;c;dGFrZW4=\x07\x9b31m\r\n12:00:00 ERROR forged\u2028\u202e\u2066\x00 [red]x[/] "
    "<script>document.title='taken'</script><img src=x onerror=alert(1)> ../../../etc/passwd =HYPERLINK(1) "
    "${jndi:ldap://taken} %s%n{0}"
)
PAGE_TAGS_THAT_RUN_OR_LOAD = {
    "script",
    "img",
    "iframe",
    "object",
    "embed",
    "base",
    "form",
    "link",
    "image",
    "use",
}


def hostile_lines() -> tuple[bytes, bytes]:
    """A tweet that is hostile wherever X sends text; one that Elasticsearch refuses, quoting its `lang`."""
    first, second = (json.loads(line) for line in tweet_lines(2))
    tweet = first["data"]
    del tweet["lang"]
    tweet |= {
        "text": HOSTILE, "source": HOSTILE, "author_id": "7", "created_at": HOSTILE, "conversation_id": HOSTILE,
        "geo": {"place_id": "p"}, "referenced_tweets": [{"type": "quoted", "id": HOSTILE}],
        "entities": {
            "hashtags": [{"tag": HOSTILE}], "cashtags": [{"tag": HOSTILE}], "mentions": [{"username": HOSTILE}],
            "urls": [{"expanded_url": "javascript:alert(1)"}, {"expanded_url": f"https://taken.example/{HOSTILE}"}],
        },
    }  # fmt: skip
    first["includes"] = {
        "users": [{"id": "7", "username": HOSTILE, "name": HOSTILE}],
        "places": [{"id": "p", "full_name": HOSTILE, "country": HOSTILE}],
        "tweets": [{"id": HOSTILE, "text": HOSTILE, "author_id": "7"}],
    }
    first["matching_rules"] = [{"id": "1", "tag": HOSTILE}]
    second["data"]["lang"] = HOSTILE
    return json.dumps(first).encode(), json.dumps(second).encode()


@pytest.mark.timeout(400)
@pytest.mark.long
def test_what_a_tweet_says_steers_no_terminal_log_path_or_page(pipeline: Pipeline) -> None:
    tweet, refused = hostile_lines()
    message = json.dumps({"title": "\x9b31m \u202e taken"}, ensure_ascii=False).encode()
    no_tweet, no_id = HOSTILE.replace("\r\n", " ").encode(), json.dumps({"data": {"id": HOSTILE}}).encode()
    lines = [tweet, refused, message, no_tweet, no_id]
    (pipeline.folder / "lines.jsonl").write_bytes(b"\n".join(lines))
    pipeline.make_refusing_index()
    said = {}
    for script, *args in (
        ["producer.py", "replay", "lines.jsonl", "--verbose"],
        ["consumer.py", "--until-caught-up", "--verbose"],
        ["audit.py"],
        ["audit.py", "trace", id_of(tweet)],
        ["audit.py", "trace", id_of(refused)],
        ["audit.py", "trace", id_of(refused), "--json"],
        ["dead_letters.py", "list"],
        ["dead_letters.py", "show"],
        ["dead_letters.py", "replay"],
        ["archive.py", "rebuild", "--from", "hdfs"],
    ):
        done = pipeline.run(script, *args)
        assert "Traceback" not in done.stderr, done.stderr
        said[script, *args] = done.stdout + done.stderr
    for name, text in said.items():
        assert not set(text) & (CONTROL - {"\n"}), (name, text)
        assert not re.search("(?m)^12:00:00 ERROR forged", text), (name, text)
    for name in (("dead_letters.py", "show"), ("audit.py", "trace", id_of(refused))):
        assert r"\x1b]0;taken" in said[name], f"it is quoted, escaped: {said[name]}"
    paths = list(files_below(pipeline, pipeline.settings.hdfs_root))
    assert paths and all(re.fullmatch(r"[A-Za-z0-9./=_-]+", path) for path in paths), paths
    assert page_of(pipeline) > {"html", "table", "svg"}
    assert "taken" in watched(pipeline)


def files_below(pipeline: Pipeline, folder: str) -> Iterator[str]:
    client = HdfsClient(pipeline.settings)
    for name, status in client.folder(folder).items():
        yield f"{folder}/{name}"
        if status["type"] == "DIRECTORY":
            yield from files_below(pipeline, f"{folder}/{name}")


def page_of(pipeline: Pipeline) -> set[str]:
    """The page that the preview draws is checked; returns its tags."""
    page, tags = pipeline.folder / "page.html", set()
    script = ROOT / "kibana-dashboards" / "preview.py"
    done = pipeline.run_file(script, "--since", "now-9y", "--output", str(page))
    assert done.returncode == 0 and not set(done.stdout) & (CONTROL - {"\n"}), done.stderr
    text = page.read_text(encoding="utf-8")
    assert "document.title=&#x27;taken" in text, "a hostile tweet is on the page"

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            for name, value in attrs:
                assert not name.startswith("on") and name != "style", (tag, name)
                assert name not in ("href", "src") or str(value).startswith("https://"), (tag, value)

    Reader().feed(text)
    assert not tags & PAGE_TAGS_THAT_RUN_OR_LOAD and not set(text) & (CONTROL - {"\n"})
    return tags


def watched(pipeline: Pipeline) -> str:
    """What `audit.py watch` shows on a terminal while hostile hashtags come; checked."""
    shown = bytearray()
    producer = pipeline.start("producer.py", "replay", "lines.jsonl")
    group = pipeline.start("consumer.py", "--group", "elasticsearch", "--from-beginning")
    master, terminal = pty.openpty()
    watch = subprocess.Popen(
        [sys.executable, str(ROOT / "kafka-consumer" / "audit.py"), "watch"], stdin=subprocess.DEVNULL,
        stdout=terminal, stderr=terminal, env=os.environ | pipeline.env | {"COLUMNS": "300", "TERM": "xterm"},
    )  # fmt: skip
    os.close(terminal)

    def read() -> None:
        with contextlib.suppress(OSError):  # its end
            while part := os.read(master, 65_536):
                shown.extend(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        tweets = itertools.count()

        def a_hashtag_is_shown() -> bool:
            if next(tweets) % 10 == 0:
                pipeline.send([hostile_lines()[0]])
            return b"taken" in shown

        wait_until(a_hashtag_is_shown, 90)
    finally:
        for process in (watch, group, producer):
            process.terminate()
            process.wait()
        reader.join(5)
        os.close(master)
    text = shown.decode("utf-8", "replace")
    # rich moves the cursor and hides it; it sets no title, no clipboard and no colour of a tweet's
    assert "\x1b]" not in text and "\x07" not in text and not set(text) & (TURNING | {"\x9b", "\x00"}), text
    return text


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="command lines are read from /proc")
def test_no_secret_is_on_a_command_line_in_a_log_or_in_a_file(cluster: Any, pipeline: Pipeline) -> None:
    """Recognisable keys and passwords: looked for while every script runs, and where a script or a server writes."""
    keys = ("api_key", "api_secret", "access_token", "access_token_secret")
    pipeline.env |= {name: f"canary-{name}-5f0c" for name in keys}
    wrong = {
        "elasticsearch_writer_password": "canary-wrong-7d11",
        "elasticsearch_reader_password": "canary-wrong-7d11",
    }
    secrets = {pipeline.env[name] for name in (*keys, *PASSWORDS)} | {"canary-wrong-7d11"}
    assert len(secrets) == 9 and all(len(secret) > 15 for secret in secrets)
    native = cluster.native
    config = native.folder / "elasticsearch" / "config"
    with command_lines_with(secrets) as found:
        said = []
        for script, *args in (
            ["producer.py", "check", "--verbose"],
            ["producer.py", "stream", "--verbose"],
            ["producer.py", "search", "kafka", "--once", "--verbose"],
            ["producer.py", "rules", "list", "--verbose"],
            ["producer.py", "simulate", "--duration", "3", "--verbose"],
            ["consumer.py", "--setup", "--verbose"],
            ["consumer.py", "--until-caught-up", "--verbose"],
            ["audit.py"],
            ["dead_letters.py", "list"],
            ["dead_letters.py", "replay"],
            ["archive.py", "rebuild", "--from", "kafka"],
        ):
            said.append(pipeline.run(script, *args))
        for script, *args in (["consumer.py", "--group", "elasticsearch", "--verbose"], ["audit.py"]):
            said.append(pipeline.run(script, *args, **wrong))
            assert said[-1].returncode == 2, said[-1].stderr
            said.append(pipeline.run(script, *args, elasticsearch_url="http://127.0.0.1:1"))
        for script, *args in (
            ["kibana-dashboards/preview.py", "--output", str(pipeline.folder / "page.html")],
            ["kibana-dashboards/import_dashboards.py", "--wait", "1"],
            ["kafka-cluster/cluster.py", "status", "--port-offset", str(cluster.offset)],
            ["kafka-cluster/cluster.py", "logs", "elasticsearch", "--port-offset", str(cluster.offset)],
        ):
            said.append(pipeline.run_file(ROOT / script, *args))
        native.kill("elasticsearch")
        (config / "keystore.made-for").unlink()  # so that its keystore is made again
        native.start("elasticsearch")
    assert found.looks > 50 and not found.lines, found.lines
    for done in said:
        assert not [secret for secret in secrets if secret in done.stdout + done.stderr], done.args
        assert "Traceback" not in done.stderr, done.stderr
    files = [path for top in (native.folder, pipeline.folder) for path in top.rglob("*") if path.is_file()]
    files = [path for path in files if not path.name.endswith("index")]  # Kafka's, large and empty
    assert len(files) > 100
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # a server has just deleted it
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path


class Found:
    """Command lines that held a secret."""

    def __init__(self) -> None:
        self.looks, self.lines = 0, set[bytes]()


@contextlib.contextmanager
def command_lines_with(secrets: set[str]) -> Iterator[Found]:
    """Look at the command lines of all processes, again and again."""
    found, ended = Found(), threading.Event()
    wanted = [secret.encode() for secret in secrets]

    def look() -> None:
        while not ended.wait(0.05):
            found.looks += 1
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it has just ended
                    line = process.read_bytes()
                    if any(secret in line for secret in wanted):
                        found.lines.add(line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
