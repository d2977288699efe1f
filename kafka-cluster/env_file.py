"""`init`: writes `.env` where there is none, and sees to it that compose finds it. Standard library only."""

import os
import re
import secrets
from pathlib import Path

from kafka_cluster.script import ROOT, UserError

PASSWORD_BYTES = 18


def make_env_file(root: Path = ROOT) -> str:
    """Write `.env` from `.env.example`, mode 0600, with a random password; returns what was done, in words.

    A `.env` that is there is never touched. Raises UserError where it can't be written.
    """
    target = root / ".env"
    try:
        if target.exists():
            said = f"{target} is there already"
        else:
            text = (root / ".env.example").read_text(encoding="utf-8")
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            text = re.sub(r"(?m)^elasticsearch_password *=.*$", f"elasticsearch_password = {password}", text)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - made with its mode
                file.write(text)
            said = f"wrote {target}, with a random password for Elasticsearch"
        return said + _link(root)
    except OSError as error:
        raise UserError(f"can't write {target}: {error.strerror}") from None


def _link(root: Path) -> str:
    """Compose looks for `.env` beside its file, and does not look in the folder above."""
    link, target = root / "kafka-cluster" / ".env", root / ".env"
    if link.is_symlink():
        return ""
    if link.exists() and link.stat().st_size > len("../.env") and link.read_bytes() != target.read_bytes():
        raise UserError(
            f"{link} and {target} differ: make them one, compose reads the first and the scripts the other"
        )
    link.unlink(missing_ok=True)  # where git makes no links, it is a small text file that names the target
    try:
        link.symlink_to(Path("..") / ".env")
    except OSError:
        link.write_bytes(target.read_bytes())
        return f"; copied it to {link}, for compose"
    return ""
