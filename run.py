#!/usr/bin/env python3
"""Everything in one command: makes .venv, installs what is needed, then does the verb.

demo   start the cluster, send a simulated stream through both groups, audit, draw the dashboards, say where to look
test   unit tests, then integration tests on a cluster of their own
down   end the cluster of the demo; with --volumes its data too
check  ruff and mypy
bench  both groups and the producer beside what their servers take at most and what people use instead; an hour, or a
       part of it: -k limits | peers | producing | kills | freshness | growth | whole_path; --write-readme
chaos  faults of many kinds under load, then the audit: --minutes 5 --rate 300 --seed 1 --faults "safe mode"

demo and down use the cluster in containers where it runs; with --docker demo starts it.
"""

# ruff: noqa: E402
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
USER_REQUIREMENTS = [
    "requirements.txt",
    "kafka-cluster/requirements-native.txt",
    "kibana-dashboards/requirements-preview.txt",
]
TEST_REQUIREMENTS = [*USER_REQUIREMENTS, "requirements-dev.txt"]
DEMO_LOG = ROOT / "build" / "demo.log"
CHAOS_LOGS = ROOT / "build" / "chaos"
INTERRUPTED = 130
DEMO_RATE, DEMO_SECONDS = "300", "60"
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
DEMO_SINCE = "now-3m"  # the stream's minute, and the groups' last seconds
# None of what is started here can reach X, whatever keys .env holds.
os.environ["never_contact_x"] = "1"


class Failed(Exception):
    """A step that did not work; the message is the one line to show, exit code 2."""


class AskedToEnd(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which may reach this process alone; a terminal's Ctrl-C reaches its children too."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("demo", "test", "down", "check", "bench", "chaos"))
    args, rest = parser.parse_known_args()
    heed_signals()
    if sys.version_info < (3, 11):  # noqa: UP036 - said in words where an older Python gets this far
        raise Failed(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    verbs = {"demo": demo, "test": test, "down": down, "check": check, "bench": bench, "chaos": chaos}
    return verbs[args.verb](rest)


def heed_signals() -> None:
    """Ctrl-C raises KeyboardInterrupt, what asks this process to end raises AskedToEnd."""

    def end(*_: object) -> None:
        raise AskedToEnd

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ENDING[1:]:  # a closed terminal must leave no consumer behind
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, end)


# installing


def install(requirements: list[str]) -> None:
    """Make .venv if there is none, and install; does nothing where the same files were installed before."""
    stamps = [stamp(name) for name in requirements]
    if PYTHON.exists() and all(path.exists() for path in stamps):
        return
    started = time.monotonic()
    print("installing into .venv ...", flush=True)
    begun = VENV / ".installing"
    if begun.exists():
        shutil.rmtree(VENV)  # half of a package would count as installed
    VENV.mkdir(exist_ok=True)
    begun.touch()
    make_venv()
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for name in requirements:
        command += ["-r", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    begun.unlink()
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise Failed(f"can't install the packages: {errors[-1]}; is the network there?")
    for path in stamps:
        path.touch()
    print(f"installed in {time.monotonic() - started:.0f} s", flush=True)


def stamp(name: str) -> Path:
    """The file that says: this file of requirements, as it is now, is installed."""
    content = (ROOT / name).read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return VENV / f".installed-{Path(name).stem}-{hashlib.sha256(content).hexdigest()[:16]}"


def make_venv() -> None:
    if PYTHON.exists():
        return
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(
            "this Python can't make a virtual environment: install its venv module "
            "(Debian and Ubuntu: apt install python3-venv)"
        )


def script(name: str, *arguments: str) -> list[str]:
    return [str(PYTHON), str(ROOT / name), *arguments]


def call(command: list[str], env: dict[str, str] | None = None) -> int:
    """Run in the foreground; what asks us to end reaches the command, which ends in its own way. Returns 130 then."""
    process, interrupted = None, False
    while True:
        try:
            if process is None:
                with uninterrupted():
                    process = subprocess.Popen(command, cwd=ROOT, env=env)
            code = process.wait()
            return INTERRUPTED if interrupted else code
        except KeyboardInterrupt as asked:
            interrupted = True
            if process is None:
                return INTERRUPTED
            if isinstance(asked, AskedToEnd):  # the terminal has sent a Ctrl-C there itself
                process.terminate()


# verbs


def demo(arguments: list[str]) -> int:
    install(USER_REQUIREMENTS)
    for step in (["init"], ["up", *arguments]):
        if code := call(script("kafka-cluster/cluster.py", *step)):
            return code
    env = os.environ | cluster_environment(arguments) | {"hdfs_flush_seconds": "2"}
    print(
        f"a simulated stream, {DEMO_RATE} tweets a second for {DEMO_SECONDS} s; the scripts log to {DEMO_LOG}"
    )
    DEMO_LOG.parent.mkdir(exist_ok=True)
    stream = ("kafka-producer/producer.py", "simulate", "--rate", DEMO_RATE, "--duration", DEMO_SECONDS)
    with (
        DEMO_LOG.open("wb") as log,
        in_background(log, env, "kafka-consumer/consumer.py"),
        in_background(log, env, *stream) as producer,
    ):
        watch(producer, env)
    audited = call(script("kafka-consumer/audit.py"), env)
    if audited == INTERRUPTED:
        return audited
    drawn = call(script("kibana-dashboards/preview.py", "--since", DEMO_SINCE), env)
    print(next_steps(env, " ".join(["", *arguments])))
    return audited or drawn


def cluster_environment(arguments: list[str]) -> dict[str, str]:
    """The variables that lead the scripts to the cluster that `up` started."""
    command = script("kafka-cluster/cluster.py", "env", *arguments)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Failed("can't say where the cluster is: see above")
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@contextmanager
def in_background(log: BinaryIO, env: dict[str, str], *command: str) -> Iterator[subprocess.Popen]:
    """A script that runs meanwhile. A Ctrl-C does not reach it: in the end we tell it to stop, whatever happens."""
    process = None
    try:
        with uninterrupted():
            process = subprocess.Popen(
                script(*command), stdout=log, stderr=log, env=env, cwd=ROOT, start_new_session=True
            )
        yield process
    finally:
        if process:
            with uninterrupted():
                process.terminate()
                process.wait()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP raise when this is over: no process is started, or ended, by half."""
    asked: list[int] = []
    before = {number: signal.signal(number, lambda number, _: asked.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in asked:
        signal.raise_signal(number)


def watch(producer: subprocess.Popen, env: dict[str, str]) -> None:
    """Show what happens until both groups have everything; Ctrl-C ends the stream early, AskedToEnd all of it."""
    command = script("kafka-consumer/audit.py", "watch", "--until-idle")
    view, well = None, {0}
    try:
        with uninterrupted():
            view = subprocess.Popen(command, stdin=subprocess.PIPE, env=env, cwd=ROOT)
        while producer.poll() is None and view.poll() is None:
            time.sleep(0.2)
        view.communicate()  # the end of its standard input tells it that the stream has ended
    except AskedToEnd:
        raise
    except KeyboardInterrupt:
        well.add(-signal.SIGTERM)  # it was still importing: nothing was begun
    finally:
        for process in filter(None, (producer, view)):
            if process.poll() is None:
                process.terminate()
            process.wait()
    if producer.returncode not in well:
        raise Failed(f"the producer ended with exit code {producer.returncode}; see {DEMO_LOG}")


def next_steps(env: dict[str, str], which: str) -> str:
    """Where to look now that tweets are in both places; `which`: the arguments that lead to the cluster."""
    kibana = ""
    if "kibana_url" in env:
        kibana = f"\n  Kibana      {env['kibana_url']}, as elastic with the same password"
    return f"""
The cluster is still up. Where to look next:
  dashboards  {(ROOT / "build" / "preview" / "index.html").as_uri()}
  search      curl -u elastic "{env["elasticsearch_url"]}/tweets/_search?q=text:kafka&size=3&pretty"
              (it asks for the password: elasticsearch_password in .env)
  the backup  {env["webhdfs_url"]}/explorer.html#/tweets{kibana}
  the groups  .venv/bin/python kafka-cluster/cluster.py status{which}
  from start  .venv/bin/python kafka-consumer/consumer.py --from-beginning --until-caught-up
  stop        python3 run.py down{which}"""


def test(arguments: list[str]) -> int:
    install(TEST_REQUIREMENTS)
    return call([str(PYTHON), "-m", "pytest", *arguments])


def bench(arguments: list[str]) -> int:
    install(TEST_REQUIREMENTS)
    return call([str(PYTHON), "-m", "pytest", "-s", "-q", "tests/benchmarks", *arguments])


def chaos(arguments: list[str]) -> int:
    install(TEST_REQUIREMENTS)
    CHAOS_LOGS.parent.mkdir(exist_ok=True)
    options = ["-sq", "--tb=short", "-p", "no:logging", f"--basetemp={CHAOS_LOGS}"]
    return call([str(PYTHON), "-m", "pytest", *options, "tests/chaos", *arguments])


def down(arguments: list[str]) -> int:
    install(USER_REQUIREMENTS)
    return call(script("kafka-cluster/cluster.py", "down", *arguments))


def check(_: list[str]) -> int:
    install(TEST_REQUIREMENTS)
    rooms = ["run.py", "kafka-cluster", "kafka-producer", "kafka-consumer", "kibana-dashboards"]
    failed = 0
    for words in (
        ["ruff", "check", *rooms, "tests"], ["ruff", "format", "--check", *rooms, "tests"], ["mypy", *rooms],
    ):  # fmt: skip
        if (code := call([str(PYTHON), "-m", *words])) == INTERRUPTED:
            return code
        failed = failed or code  # below 0 where it was killed
    return failed


if __name__ == "__main__":
    try:
        code = main()
    except Failed as failed:
        print(f"run.py: {failed}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)
