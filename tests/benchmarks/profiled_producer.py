"""The producer, as `producer.py simulate` runs it, with a look at where its CPU time goes.

    profiled_producer.py URL POSTS    reads the simulated X at URL until it has so many posts, then prints JSON

How it is measured: 50 times a second a thread of its own looks at each other thread's stack (`sys._current_frames`) and
at how long the kernel had let that thread run (/proc/self/task/*/schedstat, in nanoseconds). What a thread ran since it
was last seen at work goes to the innermost function on its stack that belongs to one of the three: tweepy with requests
and urllib3; ours; kafka-python. So C code counts for whoever called it (orjson for us, the socket for urllib3, lz4 for
kafka-python), a thread that waits counts nothing, and the sum is all that the threads used. One that is found waiting
for work in a queue or a selector is not at work: where it waits says nothing about what it did before. It begins when
the stream is read; imports and connecting are left out, and so is the looking thread itself.
"""

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psutil

from kafka_cluster.script import ROOT, run, set_up_logging
from kafka_cluster.settings import load_settings
from live import SIMULATOR, read_stream
from stream_rules import Rule

LOOKS_A_SECOND = 50
READER = "x-stream"
TWEEPY, OURS, KAFKA, OTHER = "tweepy", "ours", "kafka-python", "other"
WAITS = {("live.py", "_lines"), ("selectors.py", "select"), ("threading.py", "wait")}
LIBRARIES = {"tweepy": TWEEPY, "requests": TWEEPY, "urllib3": TWEEPY, "kafka": KAFKA}


class Profile:
    """While the stream is read: CPU seconds by whose code it was, and the most that was resident (bytes).

    `starved`: how long, in seconds, the thread that lacked a core most was ready to run, as the kernel counts it.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.starved: Counter[int] = Counter()
        self.resident = 0
        self.began = 0.0
        self._owners: dict[str, str | None] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Profile":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        process, before = psutil.Process(), dict[int, tuple[float, float]]()
        while not self._over.wait(1 / LOOKS_A_SECOND):
            threads = {each.ident: each for each in threading.enumerate()}
            if not self.began:
                if not any(each.name == READER for each in threads.values()):
                    continue
                self.began = time.monotonic()
                before = {each.native_id or 0: times(each.native_id) for each in threads.values()}
            self.resident = max(self.resident, process.memory_info().rss)
            for ident, frame in sys._current_frames().items():
                thread = threads.get(ident)
                if thread is None or thread is self._thread or thread.native_id is None or waits(frame):
                    continue
                now, then = times(thread.native_id), before.get(thread.native_id, (0.0, 0.0))
                if now > then:  # else it has just ended
                    self.seconds[self._owner(frame)] += now[0] - then[0]
                    self.starved[thread.native_id] += now[1] - then[1]
                    before[thread.native_id] = now

    def _owner(self, frame: FrameType | None) -> str:
        while frame is not None:
            name = frame.f_code.co_filename
            if name not in self._owners:
                self._owners[name] = owner(Path(name))
            if found := self._owners[name]:
                return found
            frame = frame.f_back
        return OTHER


def waits(frame: FrameType) -> bool:
    """Whether a thread is where it waits for work."""
    return (Path(frame.f_code.co_filename).name, frame.f_code.co_name) in WAITS


def owner(file: Path) -> str | None:
    """Whose code a file holds; None for what is done on behalf of whoever called it."""
    parts = file.parts
    if "site-packages" in parts:
        return LIBRARIES.get(parts[parts.index("site-packages") + 1])
    return OURS if file.is_relative_to(ROOT) and ".venv" not in parts else None


def times(native_id: int | None) -> tuple[float, float]:
    """Seconds that a thread has run, and that it was ready to run without a core; 0 where it has ended."""
    try:
        ran, waited, _ = Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(ran) / 1e9, int(waited) / 1e9


def main() -> int:
    set_up_logging()
    url, posts = sys.argv[1], int(sys.argv[2])
    settings = replace(load_settings(), api_key="simulated", api_secret="simulated")
    with Profile() as profile:
        code = read_stream(settings, url, [Rule("everything", "everything")], SIMULATOR, posts, None)
    starved = max(profile.starved.values(), default=0.0)
    print(json.dumps({"seconds": profile.seconds, "starved": starved, "resident": profile.resident}))
    return code


if __name__ == "__main__":
    run(main)
