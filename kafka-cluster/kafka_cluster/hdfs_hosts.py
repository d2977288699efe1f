"""The hosts that HDFS may send us on to: those of `webhdfs_url`, and those in `webhdfs_datanodes`."""

from urllib.parse import urlsplit

from kafka_cluster.settings import Settings


class HdfsHosts:
    """`in` tells whether a host is one of ours; a domain such as `.hdfs.example` stands for all hosts in it."""

    def __init__(self, settings: Settings) -> None:
        namenodes = [urlsplit(url).hostname for url in settings.webhdfs_url.split(",")]
        self._names = {_name(host) for host in [*namenodes, *settings.webhdfs_datanodes]}
        self._domains = tuple(host.lower() for host in settings.webhdfs_datanodes if host.startswith("."))

    def __contains__(self, host: str | None) -> bool:
        name = _name(host)
        return name in self._names or name.endswith(self._domains)


def _name(host: str | None) -> str:
    """A host as it is compared."""
    host = (host or "").lower()
    return "localhost" if host in ("127.0.0.1", "::1") else host
