"""HDFS with two NameNodes, of which one is active, and a DataNode, over https: real servers, beside the cluster's own.

Both share a folder of edits. There is no ZooKeeper failover: `activate` decides, as `hdfs haadmin` does.
"""

import os
import shutil
import subprocess
from pathlib import Path

import requests

from certificates import ca_file, keystore
from downloads import class_path, java_home
from native_launch import NATIVE
from pipeline import wait_until
from processes import ServerProcess, is_taken
from server_config import LOG4J, LOOPBACK

NAMENODES = ("nn1", "nn2")
TOOL = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"


class HaHdfs:
    """Two NameNodes and a DataNode below `folder`, on ports from `port` on."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        folder.mkdir(exist_ok=True)
        self.processes = {name: ServerProcess(name, folder / name) for name in (*NAMENODES, "datanode")}
        self.ca_file = str(ca_file(folder))
        self.urls = {name: f"https://{LOOPBACK}:{port + 10 * place}" for place, name in enumerate(NAMENODES)}
        self._jars = class_path(NATIVE["software"]["hadoop"]["jars"].strip())

    def up(self) -> None:
        """Format, start, and make nn1 the active one."""
        assert not any(is_taken(self._port + each) for each in range(30)), "the ports are taken"
        for name in self.processes:
            self._provision(name)
        self._run("nn1", NATIVE["services"]["namenode"]["main"], "-format", "-nonInteractive")
        shutil.copytree(self._folder / "nn1" / "name", self._folder / "nn2" / "name")
        for name in self.processes:
            self.start(name)
        self.activate("nn1")
        wait_until(lambda: self._takes_writes("nn1"))

    def down(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()

    def start(self, name: str) -> None:
        """Start one server; a NameNode is a standby then."""
        main = NATIVE["services"]["datanode1" if name == "datanode" else "namenode"]["main"]
        self.processes[name].start(self._java(name, main), self._environment(name))
        if name in NAMENODES:
            wait_until(lambda: self._answers(name, "GETFILESTATUS").status_code in (200, 403))

    def activate(self, name: str) -> None:
        """Make this NameNode the active one; the other, where it lives, becomes a standby before."""
        (other,) = set(NAMENODES) - {name}
        if self.processes[other].pid:
            self._run(name, TOOL, "-transitionToStandby", other)
            self._run(name, TOOL, "-transitionToActive", name)
        else:  # it can't be asked whether it is active
            self._run(name, TOOL, "-transitionToActive", "--forceactive", name)

    def _takes_writes(self, name: str) -> bool:
        """The root of the archive can be made, which safe mode refuses, and a DataNode is there."""
        live = requests.get(
            f"{self.urls[name]}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState",
            verify=self.ca_file,
            timeout=5,
        ).json()["beans"][0]["NumLiveDataNodes"]
        return bool(live) and self._answers(name, "MKDIRS", "PUT").ok

    def _answers(self, name: str, operation: str, method: str = "GET") -> requests.Response:
        url = f"{self.urls[name]}/webhdfs/v1/tests?op={operation}&user.name=hadoop"
        try:
            return requests.request(method, url, verify=self.ca_file, timeout=5)
        except requests.RequestException:
            return requests.Response()

    def _run(self, name: str, main: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._java(name, main), *arguments], env=self._environment(name), cwd=self._folder / name,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def _java(self, name: str, main: str) -> list[str]:
        folder = self._folder / name
        return [
            f"{java_home()}/bin/java", "-Xmx192m", *NATIVE["services"]["namenode"]["jvm"],
            f"-Dlog4j.configuration=file:{folder}/log4j.properties",
            "-cp", f"{folder}{os.pathsep}{self._jars}", main,
        ]  # fmt: skip

    def _environment(self, name: str) -> dict[str, str]:
        folder = self._folder / name
        return {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "HADOOP_USER_NAME": "hadoop"}

    def _provision(self, name: str) -> None:
        folder = self._folder / name
        (folder / "tmp").mkdir(parents=True)
        store = keystore(folder / "server.p12", "for-this-test", LOOPBACK)
        ssl = {
            "ssl.server.keystore.location": str(store), "ssl.server.keystore.password": "for-this-test",
            "ssl.server.keystore.keypassword": "for-this-test", "ssl.server.keystore.type": "pkcs12",
        }  # fmt: skip
        files = {
            "core-site.xml": xml({"fs.defaultFS": "hdfs://tests"}), "hdfs-site.xml": xml(self._site(name)),
            "ssl-server.xml": xml(ssl), "log4j.properties": LOG4J,
        }  # fmt: skip
        for file, text in files.items():
            (folder / file).write_text(text)

    def _site(self, name: str) -> dict[str, str]:
        addresses: dict[str, str] = {}
        for place, namenode in enumerate(NAMENODES):
            port = self._port + 10 * place
            addresses |= {
                f"dfs.namenode.https-address.tests.{namenode}": f"{LOOPBACK}:{port}",
                f"dfs.namenode.http-address.tests.{namenode}": f"{LOOPBACK}:{port + 1}",
                f"dfs.namenode.rpc-address.tests.{namenode}": f"{LOOPBACK}:{port + 2}",
            }
        provider = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
        return addresses | {
            "dfs.nameservices": "tests", "dfs.ha.namenodes.tests": ",".join(NAMENODES),
            "dfs.client.failover.proxy.provider.tests": provider,
            "dfs.ha.fencing.methods": "shell(/bin/true)", "dfs.ha.tail-edits.period": "1",
            "dfs.namenode.shared.edits.dir": f"file://{self._folder}/shared",
            "dfs.namenode.name.dir": str(self._folder / name / "name"),
            "dfs.http.policy": "HTTPS_ONLY", "dfs.replication": "1", "dfs.heartbeat.interval": "1",
            "dfs.permissions.superusergroup": "hadoop",
            "dfs.datanode.data.dir": str(self._folder / name / "data"), "dfs.datanode.hostname": LOOPBACK,
            "dfs.datanode.https.address": f"{LOOPBACK}:{self._port + 21}",
            "dfs.datanode.address": f"{LOOPBACK}:{self._port + 22}",
            "dfs.datanode.ipc.address": f"{LOOPBACK}:{self._port + 23}",
        } | ({"dfs.ha.namenode.id": name} if name in NAMENODES else {})  # fmt: skip


def xml(properties: dict[str, str]) -> str:
    """A configuration file of Hadoop's."""
    entries = "".join(
        f"<property><name>{k}</name><value>{v}</value></property>\n" for k, v in properties.items()
    )
    return f"<configuration>\n{entries}</configuration>\n"
