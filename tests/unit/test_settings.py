"""`.env` as people write it, and every fault in it said at once."""

import re
from pathlib import Path

import pytest

from kafka_cluster.script import UserError
from kafka_cluster.settings import ELASTICSEARCH_USERS, OPERATOR, READER, WRITER, Settings, load_settings

SECRETS = [name for name in Settings.__dataclass_fields__ if re.search("key|secret|token|password", name)]
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
    settings = load_settings(write(tmp_path, "".join(f"{name}=canary\n" for name in SECRETS)), {})
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", None])
def test_an_unreadable_file_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / ".env"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(UserError, match="can't read"):
        load_settings(path, {})
