"""As with managed services: every script goes through TLS and logins, and each mistake is one clear line."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from certificates import ca_file, pem_file
from ha_hdfs import HaHdfs
from pipeline import Pipeline, refused, wait_until
from sample import tweet_lines
from secured_cluster import INTERNAL, MUTUAL, SecuredCluster, secured_servers

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

Servers = tuple[dict[str, str], SecuredCluster, HaHdfs]
NO_LOGIN = {"kafka_security_protocol": "SSL", "kafka_user": "", "kafka_password": ""}
PLAIN = NO_LOGIN | {"kafka_security_protocol": "PLAINTEXT", "kafka_ca_file": ""}
WRONG_KEY = "d3Jvbmc6d3Jvbmc="
REPLAY = ("producer.py", "replay", "t.jsonl")
GROUP_A, GROUP_B = ("consumer.py", "--group", "elasticsearch"), ("consumer.py", "--group", "hdfs")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with secured_servers(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture
def pipeline(servers: Servers, tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(servers[0], tmp_path)
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(tweet_lines(300)))
    try:
        yield pipeline
    finally:
        pipeline.tidy()


def done(pipeline: Pipeline, *command: str, **env: str) -> str:
    ended = pipeline.run(*command, **env)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_script_goes_through_sasl_ssl_an_elasticsearch_with_tls_and_two_namenodes(
    pipeline: Pipeline,
) -> None:
    """The NameNode that stands first in webhdfs_url is the standby."""
    done(pipeline, *REPLAY)
    assert pipeline.catch_up().exit_code == 0
    assert len(pipeline.topic_records()) == 300
    done(pipeline, "audit.py")
    assert "NOT THERE" not in done(pipeline, "audit.py", "trace", pipeline.topic_records()[0].key.decode())
    done(pipeline, "dead_letters.py", "list")
    done(pipeline, "archive.py", "rebuild", "--from", "hdfs")
    done(pipeline, "preview.py", "--output", str(pipeline.folder / "page.html"))
    (pipeline.folder / "ids").write_text(pipeline.topic_records()[0].key.decode())
    done(pipeline, "archive.py", "forget", "--ids", "ids")
    assert pipeline.audit().exit_code == 0


def test_a_failover_of_the_namenodes_loses_and_doubles_nothing(pipeline: Pipeline, servers: Servers) -> None:
    hdfs = servers[2]
    (pipeline.folder / "t.jsonl").write_bytes(b"\n".join(tweet_lines(4_500)))
    producer = pipeline.start(*REPLAY, "--rate", "150")
    consumers = pipeline.start("consumer.py")

    def reports() -> int:
        return consumers.log.read_text().count(" stored, ")  # type: ignore[attr-defined]

    wait_until(lambda: reports() > 0)
    hdfs.activate("nn2")
    activated = reports()
    wait_until(lambda: reports() > activated + 1)  # the second is of writes that nn2 took
    hdfs.processes["nn2"].kill()
    hdfs.activate("nn1")
    assert producer.wait(timeout=120) == 0
    consumers.terminate()
    assert consumers.wait(timeout=60) == 0
    report = pipeline.catch_up()
    hdfs.start("nn2")
    assert report.exit_code == 0, report
    assert "Traceback" not in consumers.log.read_text()  # type: ignore[attr-defined]


def test_a_certificate_of_the_client_is_a_login_too(pipeline: Pipeline, servers: Servers) -> None:
    client = str(pem_file(pipeline.folder / "client.pem", "tweets"))
    mutual = NO_LOGIN | {"bootstrap_servers": servers[1].brokers(MUTUAL)}
    done(pipeline, *REPLAY, kafka_certificate_file=client, kafka_key_file=client, **mutual)
    assert len(pipeline.topic_records()) == 300
    refused(pipeline.run(*REPLAY, **mutual), "no Kafka broker answers", "or a client's certificate")


def test_a_refused_login_is_said_to_be_one(pipeline: Pipeline) -> None:
    mistakes = [
        ({"kafka_password": "wrong"}, "refuses the login of tweets: check kafka_user and kafka_password in .env"),
        ({"kafka_user": "nobody"}, "refuses the login of nobody: check kafka_user and kafka_password in .env"),
        ({"kafka_sasl_mechanism": "PLAIN"}, "takes no login by PLAIN: set kafka_sasl_mechanism to one that it takes"),
    ]  # fmt: skip
    one_line_each(pipeline, [(script, *mistake) for mistake in mistakes for script in (REPLAY, GROUP_B)])


def test_mistakes_with_kafka(pipeline: Pipeline, servers: Servers) -> None:
    other_ca = str(ca_file(pipeline.folder, trustme.CA()))
    named = servers[0]["bootstrap_servers"].replace("127.0.0.1", "localhost")
    mistakes = [
        ({"kafka_ca_file": ""}, "not trusted (", "put the file of the CA that signed it into kafka_ca_file"),
        ({"kafka_ca_file": other_ca}, "not trusted (", "put the file of the CA that signed it into kafka_ca_file"),
        ({"bootstrap_servers": named}, "not valid for 'localhost'", "write the server's name as its certificate has"),
        (PLAIN, "is a TLS listener: set kafka_security_protocol to SSL or SASL_SSL"),
        (NO_LOGIN, "does it want SASL_SSL or SSL in kafka_security_protocol"),
        ({"bootstrap_servers": servers[1].brokers(INTERNAL)}, "does not speak TLS: name another listener"),
    ]  # fmt: skip
    one_line_each(pipeline, [(script, *mistake) for mistake in mistakes for script in (REPLAY, GROUP_B)])


def test_mistakes_with_elasticsearch_and_hdfs(pipeline: Pipeline) -> None:
    other_ca = str(ca_file(pipeline.folder, trustme.CA()))
    done(pipeline, *REPLAY)
    plain_es = pipeline.settings.elasticsearch_url.replace("https", "http")
    plain_hdfs = pipeline.settings.webhdfs_url.replace("https", "http")
    mistakes = [
        ({"elasticsearch_password": "wrong"}, "refuses elastic (security_exception): check elasticsearch_user"),
        ({"elasticsearch_api_key": WRONG_KEY}, "check elasticsearch_api_key in .env"),
        ({"elasticsearch_ca_file": ""}, "put the file of the CA that signed it into elasticsearch_ca_file"),
        ({"elasticsearch_ca_file": other_ca}, "put the file of the CA that signed it into elasticsearch_ca_file"),
        ({"elasticsearch_url": plain_es, "elasticsearch_ca_file": ""}, "speaks TLS: write https:// in elasticsearch_u"),
    ]  # fmt: skip
    cases = [(GROUP_A, *mistake) for mistake in mistakes]
    cases += [(("preview.py",), *mistake) for mistake in mistakes[2:]]
    mistakes = [
        ({"webhdfs_ca_file": ""}, "put the file of the CA that signed it into webhdfs_ca_file"),
        ({"webhdfs_ca_file": other_ca}, "put the file of the CA that signed it into webhdfs_ca_file"),
        ({"webhdfs_url": plain_hdfs, "webhdfs_ca_file": ""}, "speaks TLS: write https:// in webhdfs_url"),
    ]
    cases += [(GROUP_B, *mistake) for mistake in mistakes]
    one_line_each(pipeline, cases)


def one_line_each(pipeline: Pipeline, cases: list[tuple]) -> None:
    with ThreadPoolExecutor(3) as runners:
        ended = runners.map(lambda case: pipeline.run(*case[0], **case[1]), cases)
    for case, result in zip(cases, ended, strict=True):
        refused(result, *case[2:])
        assert len([line for line in result.stderr.splitlines() if ".py: " in line]) == 1, result.stderr
        for secret in (pipeline.env["kafka_password"], pipeline.env["elasticsearch_password"], WRONG_KEY):
            assert secret not in result.stderr
