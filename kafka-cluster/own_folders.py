"""Folders that we write to: as root only those that nobody else can have made; what goes wrong there in one line."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from kafka_cluster.script import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
CURABLE = (*NO_ROOM, errno.EACCES, errno.EPERM, errno.EROFS, None)


def make_own(folder: Path, mode: int) -> None:
    """Make a folder, with those above it, unless it is there. Raises UserError as `require_own`, else OSError."""
    folder.mkdir(mode, parents=True, exist_ok=True)
    require_own(folder)
    folder.chmod(mode)


def require_own(folder: Path) -> None:
    """As root, raise UserError for a folder that another user made, or may write to; none at all is fine.

    /var/tmp is open to all, the names there can be guessed, and root runs, ends and deletes what the folder names.
    """
    if os.geteuid() != 0 or not os.path.lexists(folder):
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise UserError(
            f"{folder} is not root's alone, another user may have put it there: delete it "
            f"(rm -r {folder}) and try again"
        )


@contextlib.contextmanager
def write_faults_told(folder: Path) -> Iterator[None]:
    """Around what writes below a folder: raises UserError for an OSError."""
    try:
        yield
    except BrokenPipeError:  # whoever read our output has enough
        raise
    except OSError as error:
        raise write_fault(error, folder) from None


def write_fault(error: OSError, folder: Path) -> UserError:
    """The path and the reason, in one line; `folder`: what is named where the error names no file."""
    path, reason = error.filename or folder, error.strerror or error
    if isinstance(error, shutil.Error):  # of copytree: a list of (from, to, why)
        _, path, reason = error.args[0][0]
    cure = f"; make room there, or see that you may write to {folder}" if error.errno in CURABLE else ""
    return UserError(f"can't use {path}: {reason}{cure}")
