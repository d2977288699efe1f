"""What a server finds when it starts as a process: folders, configuration, Elasticsearch's users and keystore."""

import hashlib
import os
import pwd
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from kafka_cluster.script import UserError
from server_config import ServerConfig

UNPRIVILEGED_USER = "nobody"
"""Elasticsearch does not run as root."""


def provision(config: ServerConfig, folder: Path, supply: Mapping[str, str]) -> None:
    """Make ready what a server needs in its folder; data that is there stays. `supply`: software by name."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for path in config.folders:
        Path(path).mkdir(parents=True, exist_ok=True)
    if config.password:
        _provision_elasticsearch(config, folder, supply)
    for path, text in config.files.items():
        (folder / path).write_text(text, encoding="utf-8")
    if config.password and os.geteuid() == 0:
        _give_away(folder, UNPRIVILEGED_USER)


def is_formatted(folder: str) -> bool:
    """True where a NameNode's data begins; one whose formatting was cut short has neither edits nor an image, though
    perhaps the image's sum, which is written before it."""
    current = Path(folder, "name", "current")
    images = [path for path in current.glob("fsimage_*") if path.suffix != ".md5"]
    return bool(images) or any(current.glob("edits_*"))


def clean_environment(java: str, home: Path) -> dict[str, str]:
    """What a server sees of our environment: nothing that could steer it, and no secret."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    ours = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "HADOOP_USER_NAME": "hadoop"}
    return kept | ours | {"JAVA_HOME": java, "ES_JAVA_HOME": java}


def _provision_elasticsearch(config: ServerConfig, folder: Path, supply: Mapping[str, str]) -> None:
    """The configuration folder, its users, and a keystore with the password, which goes in by stdin only."""
    home, target = Path(supply["elasticsearch"]), folder / "config"
    target.mkdir(exist_ok=True)
    for file in ("log4j2.properties", "jvm.options"):
        # the wheel's Java has no jdk.incubator.vector
        lines = (home / "config" / file).read_text(encoding="utf-8").splitlines(keepends=True)
        (target / file).write_text("".join(line for line in lines if "jdk.incubator.vector" not in line))
    hashed = "".join(f"{user}:{_hashed(password)}\n" for user, password in config.users.items())
    (target / "users").write_text(hashed, encoding="utf-8")
    (target / "users_roles").write_text("".join(f"{user}:{user}\n" for user in config.users))
    mark = target / "keystore.made-for"
    made_for = hashlib.sha256(f"{folder}{config.password}".encode()).hexdigest()
    if mark.exists() and mark.read_text() == made_for:
        return
    (target / "elasticsearch.keystore").unlink(missing_ok=True)
    environment = clean_environment(supply["java"], folder) | {"ES_PATH_CONF": str(target)}
    tool = f"{home}/bin/elasticsearch-keystore"
    for command, text in (
        ([tool, "create"], ""),
        ([tool, "add", "-x", "bootstrap.password"], config.password),
    ):
        done = subprocess.run(
            command, env=environment, input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise UserError(f"can't make Elasticsearch's keystore: {done.stderr.strip()[-300:]}")
    mark.write_text(made_for)


def _hashed(password: str) -> str:
    """As `elasticsearch-users` writes it where the algorithm is pbkdf2, without the seconds that each call takes."""
    salt, rounds = os.urandom(32), 10_000
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 32)
    return f"{{PBKDF2}}{rounds}${b64encode(salt).decode()}${b64encode(key).decode()}"


def _give_away(folder: Path, user: str) -> None:
    owner = pwd.getpwnam(user)
    for path in [folder, *folder.rglob("*")]:  # not what a link leads to: that user may have made it
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
