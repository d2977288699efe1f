"""The settings: `.env` at the root, and the variables of the environment, which win over it."""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from kafka_cluster import setting_values as parse
from kafka_cluster.script import ROOT, UserError, refuse_differing_env_files
from kafka_cluster.setting_rules import contradictions
from kafka_cluster.setting_values import DEAD_LETTER_SUFFIX

ENV_FILE = ROOT / ".env"
WRITER, READER, OPERATOR = "tweets_writer", "tweets_reader", "tweets_operator"
ELASTICSEARCH_USERS = {
    WRITER: "elasticsearch_writer_password",
    READER: "elasticsearch_reader_password",
    OPERATOR: "elasticsearch_operator_password",
}
"""Users of Elasticsearch with the rights that scripts need and no more (docker-compose.yml has their roles), and the
setting that holds the password of each."""
_EXTERNAL_PORTS = (9091, 9092, 9093)  # as published in docker-compose.yml


def _setting(default: Any, read: Callable[[str], Any], expected: str, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"read": read, "expected": expected})


def _in_url(host: str) -> str:
    """The host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


_CA_FILE = "the path of a file with certificates of CAs (PEM)"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, with its default. `.env.example` explains each one."""

    api_key: str = _setting("", parse.text, "the key of your X app", secret=True)
    api_secret: str = _setting("", parse.text, "the secret of your X app", secret=True)
    access_token: str = _setting("", parse.text, "an access token of your X app", secret=True)
    access_token_secret: str = _setting("", parse.text, "its secret", secret=True)

    rules_file: str = _setting("rules.txt", parse.text, "the path of a file, from the project's folder")
    max_posts: int = _setting(1_000, parse.whole_number, "a whole number from 1")
    post_price: float = _setting(0.005, parse.price, "dollars a post, such as 0.005")
    user_price: float = _setting(0.01, parse.price, "dollars a user, such as 0.01")

    bootstrap_servers_ip: str = _setting("127.0.0.1", parse.host, "an IP address or a host name")
    bootstrap_servers_name: str = _setting("", parse.host, "a host name")
    bind_address: str = _setting("127.0.0.1", parse.host, "an IP address of this machine")
    bootstrap_servers: tuple[str, ...] = _setting(
        (), parse.servers, "host:port,host:port,... (an IPv6 address in brackets)"
    )
    topic: str = _setting(
        "tweets",
        parse.topic,
        f"letters, digits, . _ -, not starting with __ or ending in {DEAD_LETTER_SUFFIX}",
    )
    auto_offset_reset: str = _setting("earliest", parse.one_of("earliest", "latest"), "earliest or latest")
    elasticsearch_group: str = _setting(
        "tweets-elasticsearch", parse.topic, "a group id: letters, digits, . _ -"
    )
    hdfs_group: str = _setting("tweets-hdfs", parse.topic, "a group id: letters, digits, . _ -")

    kafka_security_protocol: str = _setting(
        "PLAINTEXT", parse.one_of("PLAINTEXT", "SSL", "SASL_SSL"),
        "PLAINTEXT, SSL or SASL_SSL (SASL_PLAINTEXT would show the network every tweet: let the brokers speak TLS)",
    )  # fmt: skip
    kafka_sasl_mechanism: str = _setting(
        "SCRAM-SHA-512", parse.one_of("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
        "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN",
    )  # fmt: skip
    kafka_user: str = _setting("", parse.text, "a user name")
    kafka_password: str = _setting("", parse.text, "its password", secret=True)
    kafka_ca_file: str = _setting("", parse.ca_file, _CA_FILE)
    kafka_certificate_file: str = _setting("", parse.file, "the path of a file that can be read")
    kafka_key_file: str = _setting("", parse.file, "the path of a file that can be read")

    session_timeout_seconds: float = _setting(10.0, parse.session, "seconds from 6 to 300")

    spill_folder: str = _setting("spill", parse.text, "the path of a folder, from the project's folder")
    spill_bytes: int = _setting(1 << 30, parse.whole_number, "bytes, a whole number")

    elasticsearch_url: str = _setting(
        "", parse.url, "http://host:port, with user and password in settings of their own"
    )
    elasticsearch_user: str = _setting("elastic", parse.text, "a user name")
    elasticsearch_password: str = _setting("", parse.text, "its password", secret=True)
    elasticsearch_writer_password: str = _setting("", parse.text, f"the password of {WRITER}", secret=True)
    elasticsearch_reader_password: str = _setting("", parse.text, f"the password of {READER}", secret=True)
    elasticsearch_operator_password: str = _setting(
        "", parse.text, f"the password of {OPERATOR}", secret=True
    )
    elasticsearch_api_key: str = _setting(
        "", parse.text, "an API key, as Kibana shows it encoded", secret=True
    )
    elasticsearch_ca_file: str = _setting("", parse.ca_file, _CA_FILE)
    elasticsearch_alias: str = _setting("tweets", parse.index, "small letters, digits, . _ -")
    elasticsearch_shards: int = _setting(1, parse.whole_number, "a whole number from 1")
    elasticsearch_replicas: int = _setting(0, parse.not_negative, "a whole number from 0")
    events_index: str = _setting("pipeline-events", parse.index, "small letters, digits, . _ -")

    kibana_url: str = _setting("http://127.0.0.1:5601", parse.url, "http://host:port")
    time_zone: str = _setting("UTC", parse.time_zone, "a name such as Asia/Seoul or Europe/Berlin")

    webhdfs_url: str = _setting(
        "", parse.urls, "http://host:port; several NameNodes separated by commas, all http or all https"
    )
    webhdfs_ca_file: str = _setting("", parse.ca_file, _CA_FILE)
    webhdfs_datanodes: tuple[str, ...] = _setting(
        (), parse.hosts, "host names, or domains such as .hdfs.example"
    )
    hdfs_user: str = _setting("hadoop", parse.text, "a user name")
    hdfs_root: str = _setting("/tweets", parse.path, "an absolute path such as /tweets")
    hdfs_flush_seconds: float = _setting(30.0, parse.seconds, "seconds, above 0")
    hdfs_flush_bytes: int = _setting(16 << 20, parse.whole_number, "bytes, a whole number")

    log_format: str = _setting("text", parse.one_of("text", "json"), "text or json")
    metrics_port: int = _setting(0, parse.base_port, "a port up to 65533, or 0 for none")

    def __post_init__(self) -> None:
        brokers = _in_url(self.bootstrap_servers_name or self.bootstrap_servers_ip)
        for name, default in {
            "bootstrap_servers": tuple(f"{brokers}:{port}" for port in _EXTERNAL_PORTS),
            "elasticsearch_url": f"http://{_in_url(self.bind_address)}:9200",
            "webhdfs_url": f"http://{_in_url(self.bind_address)}:9870",
        }.items():
            if not getattr(self, name):
                object.__setattr__(self, name, default)

    @property
    def dead_letter_topic(self) -> str:
        """Where records go that can't be delivered, with reason and origin in their headers."""
        return self.topic + DEAD_LETTER_SUFFIX

    def login(self, user: str | None = None) -> tuple[str, str]:
        """Name and password for Elasticsearch: those of one of its users where the password is set, else
        `elasticsearch_user`'s."""
        password = getattr(self, ELASTICSEARCH_USERS[user]) if user else ""
        return (user or "", password) if password else (self.elasticsearch_user, self.elasticsearch_password)

    @property
    def set_up_user(self) -> str:
        """Who makes templates, first index and alias; where no password of one who may is set, the writer looks for
        them only."""
        return OPERATOR if self.login(OPERATOR)[1] else WRITER


_FIELDS = {f.name: f for f in fields(Settings)}


def load_settings(env_file: Path = ENV_FILE, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `.env` (which may be missing) and the environment.

    Raises UserError with every fault, one a line, by name and with what is expected.
    """
    from_file, faults = _read_env_file(env_file)
    values: dict[str, Any] = {}
    for name, setting in _FIELDS.items():
        raw = environ.get(name, from_file.get(name, "")).strip()
        if not raw or is_placeholder(raw):
            continue
        try:
            values[name] = setting.metadata["read"](raw)
        except ValueError:
            shown = f" is {_without_login(raw)!r}," if setting.repr else ":"
            faults.append(f"{name}{shown} expected {setting.metadata['expected']}")
    settings = Settings(**values)
    if faults := faults or contradictions(settings):
        raise UserError(f"can't use the settings ({env_file}):\n  " + "\n  ".join(faults))
    return settings


def env_file_values(env_file: Path = ENV_FILE) -> dict[str, str]:
    """What stands in `.env`, unchecked, as compose would read it. Raises UserError where it can't be read."""
    return _read_env_file(env_file)[0]


def is_placeholder(value: str) -> bool:
    """True for a value in brackets, `[twitter api key]`: shown in an example, not filled in."""
    return value.startswith("[") and value.endswith("]")


def _without_login(value: str) -> str:
    """The value as it may be shown: with no name and password before an address, whatever characters they have."""
    return re.sub(r"^([\w+.-]+://)?.*@", r"\1***@", value, flags=re.S)


def _read_env_file(env_file: Path) -> tuple[dict[str, str], list[str]]:
    refuse_differing_env_files(env_file.parent)
    try:
        with env_file.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't read {env_file}: {error}") from None
    values, faults = {}, []
    known = _FIELDS.keys()
    for binding in bindings:
        if binding.error:
            faults.append(f"line {binding.original.line} is no NAME=value")
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
            close = difflib.get_close_matches(binding.key, known, n=1, cutoff=0.85)
            if binding.key not in known and close:
                faults.append(f"{binding.key} is not a setting; is {close[0]} meant?")
    return values, faults
