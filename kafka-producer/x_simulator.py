"""A local server that speaks X's API v2: token, rules, filtered stream, recent search. No key, no network, no cost.

    with Simulator(Options(rate=100)) as x:
        ...  # x.url, x.port

The server (simulated_api.py) is a process of its own, so that it keeps its pace whatever the reader does; it ends when
its standard input does, hence with the process that started it.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kafka_cluster.script import UserError

Json = dict[str, Any]

KEEP_ALIVE_SECONDS = 20.0  # X promises one at least that often
ENDINGS = ("close", "cut", "disconnect", "stall")
ODD_LINES = ("half", "huge", "utf8", "redelivery", "apart", "withheld", "bare", "edit", "problem")
DISCONNECT_TYPES = (
    "OperationalDisconnect", "UpstreamOperationalDisconnect", "ForceDisconnect", "UpstreamUncleanDisconnect",
    "SlowReader", "InternalError", "ClientApplicationStateDegraded", "InvalidRules",
)  # fmt: skip
MOST_WAITING_BYTES = 16 << 20
VOCABULARIES = ("tweets", "posts")


@dataclass
class Options:
    """How the simulated X behaves.

    `faults`: what the next connections to the stream meet, one each, in order. A fault is
    {"status": 429, "headers": {...}, "body": {...}}, answered instead of a stream (the last two may be left out), or
    {"after": N, "then": KIND}: after N tweets (0, if left out) the stream is ended by KIND: close, cut (in the middle
    of a line), disconnect (a control message, by "disconnect_type" if given, then close), stall (open, and silent); or
    goes on behind one line more: half, huge, utf8 (not valid), problem (a problem object, without the end of the
    stream), redelivery (the latest tweet again), apart (it again, CR and LF in two pieces), withheld (it again, as X
    sends it where it is withheld), bare (only id and text), edit (a later version of it, with an id of its own).
    `search_faults`: what the next requests to recent search are answered, {"status": ...} as above.
    """

    rate: float = 300.0
    """Tweets a second on average, at random distances; born from the first request on, heard or not."""
    seed: int = 1
    start: str | None = None
    """Pretend that the first request comes at this time (ISO 8601); same seed, rate and start: the same bytes."""
    duration: float | None = None
    """End by itself after so many seconds."""
    port: int = 0
    """0: any free one."""
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS
    limit: int | None = None
    """Send so many tweets, then only keep-alives."""
    redelivered: float = 0.002
    """The share of lines that are an earlier line again."""
    disorder: float = 0.0
    """The share of tweets that come up to a second late, behind younger ones."""
    most_waiting_bytes: int = MOST_WAITING_BYTES
    """So much may wait for a slow reader; then X ends the stream."""
    prebuilt: int = 0
    """Make so many tweets at first, and send these over and over, each time under a new id, quicker than they could be
    made; they can't be searched."""
    keys: tuple[str, str] | None = None
    """The api_key and api_secret to accept; None: any that are not empty."""
    token: str = "simulated"  # noqa: S105
    """The bearer token that is given for them."""
    vocabulary: str = "tweets"
    """Or `posts`: the words since OpenAPI 2.167."""
    gzip: bool = False
    """Compress the stream for who takes it, as X may."""
    searches: int = 450
    """Requests to recent search in a window."""
    window_seconds: float = 900.0
    """X's windows are of 15 minutes: so many searches, and 50 connects, in each."""
    search_lag_seconds: float = 0.0
    """Recent search finds what is at least so old; X's 30 s."""
    faults: list[Json] = field(default_factory=list)
    search_faults: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        for fault in self.faults:
            if "status" not in fault and fault.get("then") not in ENDINGS + ODD_LINES:
                raise ValueError(f"no such fault: {fault}")
            if fault.get("disconnect_type", DISCONNECT_TYPES[0]) not in DISCONNECT_TYPES:
                raise ValueError(f"X ends no stream so: {fault}")
        if self.vocabulary not in VOCABULARIES:
            raise ValueError(f"no such vocabulary: {self.vocabulary}")


class Simulator:
    """A running simulator, reachable at `url`. Raises UserError where it can't listen."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self.url = ""

    @property
    def port(self) -> int:
        """The port of `url`."""
        return urlsplit(self.url).port or 0

    def __enter__(self) -> "Simulator":
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("simulated_api.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,  # a Ctrl-C is for whoever reads the stream, and they stop us
        )  # fmt: skip
        with self._ended_on_error():
            assert self._process.stdin and self._process.stdout  # noqa: S101 - they are pipes
            with contextlib.suppress(BrokenPipeError):  # then there is no answer either
                print(json.dumps(asdict(self._options)), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline() or '{"error": "it ended at once"}')
            if "error" in answer:
                raise UserError(f"the simulated X did not start: {answer['error']}")
        self.url = answer["url"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()  # it has nothing to keep: whoever asks us to end waits for nothing
        self._process.wait()

    @contextlib.contextmanager
    def _ended_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.__exit__()
            raise
