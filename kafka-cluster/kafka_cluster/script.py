"""What every script does the same way: one line for bad input, exit codes, Ctrl-C, logging. Standard library only."""

import json
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from kafka_cluster.plain_text import PrintableFormatter, printable_lines

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: `.env` stands here, whatever the working directory."""


NEVER_CONTACT_X = "never_contact_x"
"""A variable of the environment: set, no script of ours can reach X, whatever keys `.env` holds."""
X_DOMAINS = ("twitter.com", "x.com")


class UserError(Exception):
    """Something that the person at the keyboard can cure; the message says what is wrong and what to do."""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's main and exit: 0 or what it returns, 1 after a fault of ours, 2 after a UserError, 130 after
    Ctrl-C.

    Before and after it, while packages are imported and threads end, Ctrl-C just ends the process.
    """
    _replace_closed_outputs()
    go_past_proxies("127.0.0.1", "localhost", "::1")  # else passwords for servers here would go to the proxy
    if os.environ.get(NEVER_CONTACT_X):
        refuse_x()
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main() or 0
        sys.stdout.flush()
    except UserError as error:
        _complain(str(error))
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `... | head`: whoever read us has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except Exception as error:  # a fault of ours, whose last line may quote a tweet
        if logs_json():
            _log_uncaught(type(error), error, error.__traceback__)
        else:
            print(printable_lines(traceback.format_exc()), end="", file=sys.stderr)
        code = 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def _replace_closed_outputs() -> None:
    """With `>&-` and `2>&-` Python has None in their place, and the next file that is opened would be given their
    number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8", errors="replace"))  # noqa: SIM115


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Around what must not be left half done: Ctrl-C, SIGTERM and a closed terminal's SIGHUP come, as they do
    elsewhere, when it is over.

    Only the main thread is ever interrupted, so in another this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM]
    # Windows has none; under nohup it stays ignored, also by what is started meanwhile
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = [signal.signal(number, lambda number, _: asked.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    for each in asked:
        signal.raise_signal(each)


def go_past_proxies(*names: str) -> None:
    """Where the environment names a proxy, let requests for these names, and for those that end in one, not use it.

    `requests` and its like read `no_proxy` at each request, and `NO_PROXY` only where that is not set.
    """
    if not any(value and name.lower().endswith("_proxy") for name, value in os.environ.items()):
        return  # a no_proxy alone would let the system's own proxies, of macOS and Windows, be forgotten
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    listed = [name.strip() for name in given.split(",") if name.strip()]
    os.environ["no_proxy"] = "*" if listed == ["*"] else ",".join(dict.fromkeys([*listed, *names]))


def refuse_x() -> None:
    """Let no name of X resolve in this process, and no proxy be asked to resolve it."""
    go_past_proxies(*X_DOMAINS)
    resolve = socket.getaddrinfo

    def guarded(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if f".{name.lower().rstrip('.')}".endswith(tuple(f".{domain}" for domain in X_DOMAINS)):
            raise UserError(
                f"this run must not contact X ({NEVER_CONTACT_X} is set), and {name} was asked for"
            )
        return resolve(host, *args, **options)

    socket.getaddrinfo = guarded


def refuse_differing_env_files(root: Path = ROOT) -> None:
    """Raise UserError where compose would read another `.env`, beside its file, than the scripts.

    `kafka-cluster/.env` is a link to the root's; where git makes no links it is a small text file that names the
    target, until `cluster.py init` makes it a copy.
    """
    env_file, beside = root / ".env", root / "kafka-cluster" / ".env"
    if beside.is_symlink() or not beside.exists() or is_link_text(beside):
        return
    if not env_file.exists():
        raise UserError(f"{beside} is read by compose only: move it to {env_file}, which both read")
    if env_file.read_bytes() != beside.read_bytes():
        raise UserError(
            f"{env_file} and {beside} differ, and the scripts read the first, compose the other: "
            "put what you want into the first, delete the other, and run  python3 kafka-cluster/cluster.py init"
        )


def is_link_text(path: Path) -> bool:
    """True for what git leaves in place of the link where there are no links."""
    return path.stat().st_size <= len("../.env\r\n") and path.read_bytes().strip() == b"../.env"


class JsonLines(logging.Formatter):
    """A JSON object a line, for programs that gather logs: time, level, logger, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. It is ASCII: nothing in a message can break it, or steer a terminal."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname, "logger": record.name, "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_logging(log_format: str = "text", verbose: bool = False) -> None:
    """Log to stderr, a line a message. The clients' own words on a broker that is away need `verbose`.

    With `json`, what would be printed there as plain text (errors, warnings, tracebacks) is logged too.
    """
    formatter = PrintableFormatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_format == "json" else formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in ("kafka", "elastic_transport", "elasticsearch", "hdfs", "urllib3", "fontTools"):
        logging.getLogger(library).setLevel(logging.INFO if verbose else logging.CRITICAL)
    if log_format == "json":
        logging.captureWarnings(True)
        sys.excepthook = _log_uncaught
        threading.excepthook = lambda args: _log_uncaught(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )


def logs_json() -> bool:
    """True after `set_up_logging` with `json`: nothing else may go to stderr."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger(kind.__module__).critical("%s", error, exc_info=(kind, error, traceback))


def _complain(text: str) -> None:
    name = Path(sys.argv[0]).name
    if logs_json():
        logging.getLogger(name).error("%s", text)
    else:
        print(f"{name}: {printable_lines(text)}", file=sys.stderr)
