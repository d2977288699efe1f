"""`init`: writes `.env` where there is none, and sees to it that compose finds it. Standard library only."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from kafka_cluster.script import ROOT, UserError, is_link_text, refuse_differing_env_files

PASSWORD_BYTES = 18
COMPOSE_READS = {
    "elasticsearch_password": "put a password there",
    "elasticsearch_writer_password": "put a password there, or delete the line",
    "elasticsearch_reader_password": "put a password there, or delete the line",
    "elasticsearch_operator_password": "put a password there, or delete the line",
    "bootstrap_servers_ip": "put an IP address of this machine there, or delete the line",
    "bootstrap_servers_name": "put a host name there, or delete the line",
    "bind_address": "put an IP address of this machine there, or delete the line",
}
"""What docker-compose.yml takes from `.env`, as it stands there, brackets and all; and the cure for those."""


def make_env_file(root: Path = ROOT) -> str:
    """Write `.env` from `.env.example`, mode 0600, with random passwords; returns what was done, in words.

    A `.env` that is there is never touched. Raises UserError where it can't be written, or where one that is there
    can't be started with.
    """
    target = root / ".env"
    refuse_differing_env_files(root)
    try:
        if target.exists():
            said = f"{target} is there already{_check(target)}"
        else:
            _write(target, (root / ".env.example").read_text(encoding="utf-8"))
            said = f"wrote {target}, with random passwords for Elasticsearch"
        return said + link_for_compose(root)
    except UnicodeDecodeError:
        raise UserError(f"{target} is not in UTF-8: open it in an editor and save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"can't write {target}: {error.strerror}") from None


def link_for_compose(root: Path = ROOT) -> str:
    """Compose looks for `.env` beside its file, and does not look in the folder above: a link, or else a copy."""
    link, target = root / "kafka-cluster" / ".env", root / ".env"
    if link.is_symlink() or not target.exists():
        return ""
    if link.exists() and not is_link_text(link):
        return ""  # a copy, and the same
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(Path("..") / ".env")
    except OSError:
        link.write_bytes(target.read_bytes())
        return f"; copied it to {link}, for compose"
    return ""


def refuse_placeholders(values: Mapping[str, str]) -> None:
    """Raise UserError for a value in brackets that compose would take as it stands."""
    for name, cure in COMPOSE_READS.items():
        value = values.get(name, "")
        if value.startswith("[") and value.endswith("]"):
            raise UserError(f"{name} in .env is still the example's, {value}: {cure}")


def _check(env_file: Path) -> str:
    """Returns what could be better, in words. Raises UserError for what can't be started with."""
    lines = re.findall(
        r"(?m)^[ \t]*(?:export +)?(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", env_file.read_text(encoding="utf-8-sig")
    )
    values = {name: value.strip("\"'") for name, value in lines}
    refuse_placeholders(values)
    if not values.get("elasticsearch_password"):
        raise UserError(
            f"{env_file} has no elasticsearch_password: add the line  elasticsearch_password = (one of your own)"
        )
    absent = [name for name in COMPOSE_READS if name.endswith("_password") and not values.get(name)]
    return f"; without {', '.join(absent)} the scripts use that of elasticsearch_user" if absent else ""


def _write(target: Path, example: str) -> None:
    text = re.sub(
        r"(?m)^(elasticsearch_(?:\w+_)?password) *=.*$",
        lambda line: f"{line[1]} = {secrets.token_urlsafe(PASSWORD_BYTES)}",
        example,
    )
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - made with its mode
            file.write(text)
    except BaseException:  # half of it would count as written
        target.unlink()
        raise
