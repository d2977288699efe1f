"""The HTTP session of the WebHDFS client, which goes nowhere but to our own HDFS."""

from typing import Any
from urllib.parse import urlsplit

import requests

from kafka_cluster.hdfs_hosts import HdfsHosts
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.tls import trusted_cas


class HdfsSession(requests.Session):
    """Sends requests to NameNodes and DataNodes, and refuses any other target before anything is sent.

    A NameNode answers reads and writes with the address of a DataNode. Whoever answers in its place could have tweets
    sent anywhere, or have us ask a server that only we can reach. So what it says is held against `.env`: the hosts
    of `webhdfs_url` and those in `webhdfs_datanodes`, the same scheme, and a WebHDFS path. What the NameNode itself
    lists as its DataNodes would be no evidence.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        namenodes = [urlsplit(url) for url in settings.webhdfs_url.split(",")]
        self._scheme = namenodes[0].scheme
        self._paths = tuple({f"{url.path}/webhdfs/" for url in namenodes})
        self._hosts = HdfsHosts(settings)
        self._ca_file = trusted_cas(settings.webhdfs_ca_file)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As requests does, which comes here for each redirect too. Raises UserError for a target that is not ours."""
        target = urlsplit(request.url or "")
        known = target.hostname in self._hosts
        webhdfs = target.path.startswith(self._paths) and "/.." not in target.path
        if not (known and target.scheme == self._scheme and webhdfs):
            raise UserError(
                f"HDFS sends us on to {target.scheme}://{target.netloc}, where no DataNode of ours is known to be; "
                "nothing was sent there: if one is, name its host in webhdfs_datanodes"
                + (f" and let it speak {self._scheme}" if known and target.scheme != self._scheme else "")
            )
        return super().send(request, **options | {"verify": self._ca_file})
