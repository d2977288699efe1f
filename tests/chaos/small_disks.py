"""Disks that can be full: a tmpfs below a server's data, or below any other folder, where root may mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOMY = "8g"  # taken only as far as it is filled


class SmallDisk:
    """A tmpfs. It is full when its size is set to what is in it: no ballast."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def mounted(self) -> Iterator["SmallDisk"]:
        """Until the end, when what is on it is gone."""
        self._folder.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(self._folder))
        try:
            yield self
        finally:
            run("umount", "--lazy", str(self._folder))

    def fill(self) -> None:
        """Leave no room; what is there can be read, changed in place, and deleted."""
        for _ in range(20):  # others write meanwhile
            room = os.statvfs(self._folder)
            used = (room.f_blocks - room.f_bfree) * room.f_frsize
            if self._resize(str(max(used, room.f_frsize))):  # a size of 0 means no bound
                return
        raise AssertionError(f"{self._folder} did not get full")

    def free(self) -> None:
        """Room again."""
        assert self._resize(ROOMY)

    def _resize(self, size: str) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self._folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disks(folders: dict[str, Path]) -> Iterator[dict[str, SmallDisk]]:
    """A disk for each of these folders, by name; none where this user can't mount."""
    disks: dict[str, SmallDisk] = {}
    with ExitStack() as stack:
        with suppress(OSError, subprocess.CalledProcessError):
            for name, folder in folders.items():
                disks[name] = stack.enter_context(SmallDisk(folder).mounted())
        yield disks


def run(*command: str) -> None:
    """Run a command that must work."""
    subprocess.run(command, capture_output=True, check=True)
