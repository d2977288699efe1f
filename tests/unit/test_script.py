"""What all scripts do alike: logs that a program can read, and a Ctrl-C that leaves nothing by half."""

import json
import logging
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import progress
from ingest import Counts
from kafka_cluster.script import ROOT, JsonLines, uninterrupted
from progress import Progress

NASTY = "one\ntwo\r\x1b[31m\x00\x85\u2028 \ud800 트윗"


def logged(text: str) -> list[dict[str, Any]]:
    """The lines of a JSON log; each is an object, and nothing else is there."""
    assert text.isascii() and all(c.isprintable() for c in text.replace("\n", ""))
    return [json.loads(line) for line in text.splitlines()]


def run_python(code: str) -> list[dict[str, Any]]:
    code = f"from kafka_cluster.script import run, set_up_logging, UserError\nset_up_logging('json')\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return logged(done.stderr)


def test_a_message_is_one_object_on_one_line_whatever_is_in_it() -> None:
    record = logging.makeLogRecord({
        "name": "x_stream", "levelname": "WARNING", "levelno": 30, "msg": "said %s", "args": (NASTY,), "created": 1.5,
    })  # fmt: skip
    line = JsonLines().format(record)
    assert logged(line) == [{
        "time": "1970-01-01T00:00:01.500Z", "level": "WARNING", "logger": "x_stream", "message": f"said {NASTY}",
    }]  # fmt: skip


def test_what_would_be_a_traceback_is_a_field() -> None:
    (thread, warning, last) = run_python(
        "import threading, warnings\n"
        "def fail(): raise ValueError('in a thread')\n"
        "t = threading.Thread(target=fail); t.start(); t.join()\n"
        "warnings.warn('old')\n"
        "raise RuntimeError('a\\nb')"
    )
    assert thread["message"] == "in a thread" and "ValueError: in a thread" in thread["exception"]
    assert warning["level"] == "WARNING" and "old" in warning["message"]
    assert (last["level"], last["message"]) == ("CRITICAL", "a\nb") and "Traceback" in last["exception"]


def test_a_users_error_is_a_message_too() -> None:
    (line,) = run_python("def main(): raise UserError('so\\nand so')\nrun(main)")
    assert (line["level"], line["message"]) == ("ERROR", "so\nand so")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (["kafka-producer/producer.py", "replay", "none.jsonl"], "can't read none.jsonl"),
        pytest.param(["kafka-consumer/consumer.py"], "no Kafka broker answers", marks=pytest.mark.long),
        (["kafka-consumer/audit.py"], "HDFS (its NameNode) does not answer"),
        (["kafka-consumer/archive.py", "forget", "--user", "7"], "HDFS (its NameNode) does not answer"),
        (["kafka-consumer/dead_letters.py", "list"], "Elasticsearch does not answer"),
        (["kibana-dashboards/import_dashboards.py", "--wait", "0"], "Kibana"),
    ],
    ids=lambda value: value[0].rpartition("/")[2] if isinstance(value, list) else "",
)
def test_every_script_and_its_children_log_json_and_nothing_else(script: list[str], said: str) -> None:
    nowhere = {
        "log_format": "json", "bootstrap_servers": "127.0.0.1:1", "elasticsearch_url": "http://127.0.0.1:1",
        "elasticsearch_password": "secret", "webhdfs_url": "http://127.0.0.1:1", "kibana_url": "http://127.0.0.1:1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(ROOT / script[0]), *script[1:]], env=os.environ | nowhere, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    found = [line["message"] for line in logged(done.stderr) if said in line["message"]]
    assert len(found) == (2 if script[0].endswith("consumer.py") else 1), done.stderr


def test_a_fault_of_ours_is_an_object_too() -> None:
    (line,) = run_python("def main(): raise ValueError('a\\nb')\nrun(main)")
    assert (line["level"], line["message"]) == ("CRITICAL", "a\nb") and "Traceback" in line["exception"]


@pytest.mark.skipif(os.name == "nt", reason="no sh")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_ends_nothing(closed: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"no tweet\n" * 3)
    replay = [str(ROOT / "kafka-producer" / "producer.py"), "replay", "--dry-run", str(tmp_path / "lines")]
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, *replay],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert ("read 3 lines" in done.stdout) == (closed == "2>&-")


# proxies, and X


PROXIES = {"http_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}  # where nothing listens
USED = "from requests.utils import get_environ_proxies as used"


def run_main(main: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it as a script, in an environment whose only proxies are those of `env`."""
    code = f"from kafka_cluster.script import run\n{USED}\ndef main(): {main}\nrun(main)"
    others = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    others.pop("never_contact_x")
    return subprocess.run(
        [sys.executable, "-c", code], env=others | env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "given", [{}, {"no_proxy": "es.example"}, {"NO_PROXY": "es.example, "}, {"no_proxy": "", "NO_PROXY": "*"}]
)
def test_no_proxy_is_asked_for_servers_of_this_machine(given: dict[str, str]) -> None:
    urls = ["http://127.0.0.1:9200", "https://localhost:5601", *(["http://es.example"] if given else [])]
    done = run_main(f"print([used(url) for url in {urls}], used('http://other.example'))", PROXIES | given)
    here, _, other = done.stdout.partition("] ")
    assert set(here.strip("[")) <= set("{}, "), done.stdout + done.stderr
    assert ("127.0.0.1:9" in other) == ("*" not in given.values()), "all others go where the person wants"


def test_where_no_proxy_is_named_the_environment_stays_as_it_is() -> None:
    assert run_main("import os; print(os.environ.get('no_proxy'))", {}).stdout == "None\n"


@pytest.mark.parametrize("name", ["api.twitter.com", "x.com", "API.X.com"])
def test_x_is_refused_also_behind_a_proxy(name: str) -> None:
    main = f"import requests; requests.get('https://{name}/2/tweets', timeout=9)"
    done = run_main(main, PROXIES | {"never_contact_x": "1"})
    assert done.returncode == 2 and "this run must not contact X" in done.stderr, done.stderr


def test_names_that_only_end_like_xs_are_not_refused() -> None:
    main = (
        "import socket\n for name in (b'netflix.invalid', 'netflix.com', 'mytwitter.com'):\n"
        "  try: socket.getaddrinfo(name, 1, flags=socket.AI_NUMERICHOST)\n  except OSError: print('asked')"
    )
    assert run_main("\n " + main, {"never_contact_x": "1"}).stdout.split() == ["asked"] * 3


def test_the_progress_is_logged_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "logs_json", lambda: True)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    out = StringIO()
    with caplog.at_level(logging.INFO):
        Progress(out=out).show(Counts(read=7, tweets=7))
    assert "read 7 lines: 7 tweets" in caplog.text and not out.getvalue()


def test_a_ctrl_c_waits_for_what_must_not_be_left_by_half() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("the rest")
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
def test_a_closed_terminal_waits_too_and_under_nohup_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.default_int_handler)
    done = []
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            os.kill(os.getpid(), signal.SIGHUP)
            done.append("the rest")
        assert done == ["the rest"] and signal.getsignal(signal.SIGHUP) is signal.default_int_handler
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with uninterrupted():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, "what is started now inherits it"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_env_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import env_file

    (tmp_path / "kafka-cluster").mkdir()
    (tmp_path / ".env.example").write_text("elasticsearch_password =\n")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("builtins.open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            env_file.make_env_file(tmp_path)
    assert not (tmp_path / ".env").exists()
    assert "wrote" in env_file.make_env_file(tmp_path)
