"""`.env` as people write it, and every fault in it said at once."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from certificates import CA, ca_file, pem_file
from kafka_cluster.elasticsearch_options import elasticsearch_options
from kafka_cluster.kafka_options import consumer_options, producer_options, security_options
from kafka_cluster.script import UserError
from kafka_cluster.settings import ELASTICSEARCH_USERS, OPERATOR, READER, WRITER, Settings, load_settings

SECRETS = [name for name in Settings.__dataclass_fields__ if re.search("key$|secret|token|password", name)]
SEED = """access_token = "[twitter access token]"
access_token_secret = "[twitter access token secret]"
api_key = 'my key'
api_secret = "s3cret#with=signs"
bootstrap_servers_ip = "[localhost ip addr]"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_projects_own_lines_are_read_right(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, SEED), {})
    assert (settings.api_key, settings.api_secret) == ("my key", "s3cret#with=signs")
    assert settings.access_token == "", "a value in brackets is not set"
    assert settings.bootstrap_servers == ("127.0.0.1:9091", "127.0.0.1:9092", "127.0.0.1:9093")


def test_the_address_moves_all_three_brokers_and_the_environment_wins(tmp_path: Path) -> None:
    env_file = write(tmp_path, "bootstrap_servers_ip = 192.168.1.7\ntopic = from_file\n")
    settings = load_settings(env_file, {"topic": "from_environment"})
    assert settings.bootstrap_servers[2] == "192.168.1.7:9093"
    assert settings.topic == "from_environment"


def test_windows_line_ends_and_a_byte_order_mark_are_read_right(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b'\xef\xbb\xbftopic = "other"\r\nhdfs_user = me\r\n')
    settings = load_settings(file, {})
    assert (settings.topic, settings.hdfs_user) == ("other", "me")


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none", {}) == Settings()


def test_every_fault_is_listed_with_its_name_and_what_is_expected(tmp_path: Path) -> None:
    env_file = write(
        tmp_path,
        "this is no setting\nbootstrap_servers=localhost\nauto_offset_reset=begin\nhdfs_root=tweets\n"
        "elasticsearch_url=localhost:9200\nhdfs_flush_seconds=0\nelasticsearch_pasword=x\n"
        "topic=__consumer_offsets\nelasticsearch_shards=two\ntime_zone=Seoul\nkibana_url=localhost\n",
    )
    with pytest.raises(UserError) as error:
        load_settings(env_file, {})
    text = str(error.value)
    for name in (
        "line 1", "bootstrap_servers", "auto_offset_reset", "hdfs_root", "elasticsearch_url", "topic",
        "hdfs_flush_seconds", "elasticsearch_shards", "is elasticsearch_password meant?", "earliest or latest",
        "time_zone", "Asia/Seoul", "kibana_url",
    ):  # fmt: skip
        assert name in text


@pytest.mark.parametrize(
    "line",
    [
        "bootstrap_servers=127.0.0..1:9091", f"bootstrap_servers={'a' * 64}.example:9091", "bind_address=127.0.0..1",
        "bootstrap_servers_name=.kafka.example", "elasticsearch_url=http://127.0.0..1:9200",
        f"kibana_url=http://{'ü' * 60}.example", "webhdfs_datanodes=..hdfs.example",
        "bootstrap_servers=::1:9091", "bootstrap_servers=[::1:9091", "bootstrap_servers=[localhost]:9091",
    ],
)  # fmt: skip
def test_an_address_that_no_connection_could_take_is_refused_by_name(tmp_path: Path, line: str) -> None:
    name, value = line.split("=")
    with pytest.raises(UserError, match=re.escape(f"{name} is {value!r}, expected ")):
        load_settings(write(tmp_path, line), {})


def test_addresses_of_ipv6_and_domains_are_taken(tmp_path: Path) -> None:
    lines = "bootstrap_servers_ip=::1\nbind_address=::1\nwebhdfs_datanodes=.hdfs.example,dn1,::1"
    settings = load_settings(write(tmp_path, lines), {})
    assert settings.bootstrap_servers[0] == "[::1]:9091"
    assert settings.elasticsearch_url == "http://[::1]:9200"
    assert settings.webhdfs_datanodes == (".hdfs.example", "dn1", "::1")
    given = load_settings(tmp_path / "none", {"bootstrap_servers": "[::1]:9091, kafka.example.:9092"})
    assert given.bootstrap_servers == ("[::1]:9091", "kafka.example.:9092")


def test_a_script_logs_in_as_its_own_user_where_the_password_is_set_else_as_the_one_user(
    tmp_path: Path,
) -> None:
    alone = load_settings(write(tmp_path, "elasticsearch_password=one\n"), {})
    for user in ELASTICSEARCH_USERS:
        assert alone.login(user) == ("elastic", "one")
    writer = load_settings(write(tmp_path, "elasticsearch_writer_password=two\n"), {})
    assert writer.login(WRITER) == (WRITER, "two") and writer.login(READER) == ("elastic", "")
    assert (alone.set_up_user, writer.set_up_user) == (OPERATOR, WRITER), "it makes nothing, it only looks"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    more = ["elasticsearch_url=https://es.example", "kafka_security_protocol=SASL_SSL", "kafka_user=me"]
    settings = load_settings(write(tmp_path, "\n".join([f"{name}=canary" for name in SECRETS] + more)), {})
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    "line",
    [
        "elasticsearch_url=https://elastic:canary@es.example:9200", "kibana_url=https://me:x/canary@canary@kb.example",
        "webhdfs_url=https://me:canary@nn1:9871,https://me:canary@nn2:9871", "kibana_url=me:canary@kb.example:5601",
        "elasticsearch_url=https://:canary@es.example", "bootstrap_servers=SASL_SSL://me:canary@kafka.example:9092",
    ],
)  # fmt: skip
def test_a_login_in_an_address_is_refused_and_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError) as error:
        load_settings(write(tmp_path, line), {})
    assert re.search(
        line.partition("=")[0] + r" is '([A-Za-z_]+://)?\*\*\*@.*[0-9e]', expected", str(error.value)
    )
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", None])
def test_an_unreadable_file_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / ".env"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(UserError, match="can't read"):
        load_settings(path, {})


# servers elsewhere: TLS, logins


def test_several_namenodes_by_comma_or_semicolon(tmp_path: Path) -> None:
    settings = load_settings(
        write(tmp_path, "webhdfs_url = https://nn1:9871/, https://nn2:9871;https://nn3:9871"), {}
    )
    assert settings.webhdfs_url == "https://nn1:9871,https://nn2:9871,https://nn3:9871"


def test_the_options_of_each_client_follow_from_the_settings(tmp_path: Path) -> None:
    ca = str(ca_file(tmp_path))
    settings = load_settings(
        write(
            tmp_path,
            "kafka_security_protocol=SASL_SSL\nkafka_sasl_mechanism=PLAIN\nkafka_user=me\nkafka_password=secret\n"
            f"kafka_ca_file={ca}\nelasticsearch_url=https://es.example/path\nelasticsearch_api_key=key\n"
            f"elasticsearch_password=unused\nelasticsearch_ca_file={ca}\n",
        ),
        {},
    )
    wanted = {
        "security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "me",
        "sasl_plain_password": "secret", "ssl_cafile": ca,
    }  # fmt: skip
    assert security_options(settings) == wanted
    assert wanted.items() <= producer_options(settings).items()
    assert wanted.items() <= consumer_options(settings, "group").items()
    assert elasticsearch_options(settings) == {
        "hosts": "https://es.example:443/path", "api_key": "key", "ca_certs": ca,
    }  # fmt: skip
    assert security_options(Settings()) == {}
    assert elasticsearch_options(Settings(elasticsearch_password="x")) == {
        "hosts": "http://127.0.0.1:9200", "basic_auth": ("elastic", "x"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("kafka_security_protocol=SASL_PLAINTEXT", "expected PLAINTEXT, SSL or SASL_SSL (SASL_PLAINTEXT would show"),
        ("kafka_security_protocol=SASL_SSL", "is SASL_SSL: set kafka_user and kafka_password too"),
        ("kafka_security_protocol=SASL_SSL\nkafka_user=me", "is SASL_SSL: set kafka_password too"),
        ("kafka_user=me", "kafka_user is set, but kafka_security_protocol is PLAINTEXT, by which nobody logs in"),
        ("kafka_security_protocol=SSL\nkafka_password=canary", "is SSL, by which nobody logs in: set it to SASL_SSL"),
        ("kafka_ca_file=CA", "kafka_ca_file is set, but kafka_security_protocol is PLAINTEXT: set it to SSL or"),
        ("kafka_security_protocol=SSL\nkafka_certificate_file=PAIR", "go together: set both"),
        ("kafka_security_protocol=SSL\nkafka_certificate_file=PAIR\nkafka_key_file=OTHER", "are no certificate and"),
        ("kafka_security_protocol=SSL\nkafka_certificate_file=PAIR\nkafka_key_file=LOCKED", "wants a passphrase"),
        ("kafka_sasl_mechanism=GSSAPI", "expected SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"),
        ("kafka_security_protocol=SSL\nkafka_ca_file=none.pem", "expected the path of a file with certificates of CAs"),
        ("kafka_security_protocol=SSL\nkafka_ca_file=README.md", "expected the path of a file with certificates of C"),
        ("elasticsearch_api_key=canary", "elasticsearch_api_key would go to http://127.0.0.1:9200 unencrypted: write"),
        ("elasticsearch_ca_file=CA", "and http://127.0.0.1:5601 is no https: write https://, or unset it"),
        ("webhdfs_ca_file=CA", "webhdfs_ca_file is set, but http://127.0.0.1:9870 is no https"),
        ("webhdfs_url=http://nn1:9870,https://nn2:9871", "all http or all https"),
        ("webhdfs_url=http://nn1:9870,", "several NameNodes separated by commas"),
        ("webhdfs_datanodes=http://dn1:9864", "expected host names, or domains such as .hdfs.example"),
    ],
)  # fmt: skip
def test_what_can_not_work_is_refused_with_the_cure(tmp_path: Path, lines: str, said: str) -> None:
    locked = tmp_path / "locked.pem"
    key = load_pem_private_key(CA.issue_cert("x").private_key_pem.bytes(), None)
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    )
    files = {
        "CA": ca_file(tmp_path), "PAIR": pem_file(tmp_path / "a.pem", "a"), "OTHER": pem_file(tmp_path / "b.pem", "b"),
        "LOCKED": locked,
    }  # fmt: skip
    for name, file in files.items():
        lines = lines.replace(f"={name}", f"={file}")
    with pytest.raises(UserError) as error:
        load_settings(write(tmp_path, lines), {})
    assert said in str(error.value)
    assert "canary" not in str(error.value)
    assert len(str(error.value).splitlines()) == 2, "a head, and one fault"
