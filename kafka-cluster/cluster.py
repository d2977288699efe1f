#!/usr/bin/env python3
"""The servers of the pipeline: ZooKeeper, three Kafka brokers, Elasticsearch, HDFS, as processes of this machine;
with --docker, or where they run in containers already, by docker-compose, and Kibana with them.

init         write .env, with random passwords, if there is none
up           start all servers; done when each takes a write      down [--volumes]  end them; with their data
status       servers, topics, lag of the consumer groups; with --watch again and again, until Ctrl-C
logs NAME    what a server printed; with -f also what it prints from now on
kill NAME    end one server at once, to see what happens          start NAME        start it again
doctor       look for what people trip over, and say the cure; exit code 0: nothing found, 1: something
env          the variables that lead the scripts to this cluster
drill        under load, kill the leader of a partition and bring it back; watch leaders, replicas, lag; then the audit

  cluster.py init && cluster.py up          everything from nothing
  cluster.py kill kafka2                    what does a dead broker do? see it in  cluster.py status
  cluster.py up --port-offset 1000          a second cluster beside the first
  cluster.py logs elasticsearch -f
"""

# ruff: noqa: E402
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback

import argparse
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from env_file import make_env_file
from kafka_cluster.script import UserError, run

if TYPE_CHECKING:
    from clusters import Cluster


def main() -> int:
    args = parse()
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal is a Ctrl-C: what this call started is ended
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    if args.verb == "init":
        print(make_env_file())
        return 0
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the same for these
    try:
        if args.verb == "doctor":
            from doctor import doctor

            return doctor(lambda: choose(args.docker, args.port_offset, only_look=True), args.port_offset)
        cluster = choose(args.docker, args.port_offset)
        from cluster_status import print_status
    except ModuleNotFoundError as missing:
        if missing.name == "fcntl":  # Windows
            raise UserError(
                "servers as processes need Linux or macOS: use Docker Desktop and --docker, or WSL2 for all of it"
            ) from None
        raise UserError(
            f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt "
            "-r kafka-cluster/requirements-native.txt  in the project's folder"
        ) from None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if args.verb == "up":
        up(cluster)
    elif args.verb == "down":
        cluster.down(args.volumes)
        print(
            "all servers are down" + (", their data is deleted" if args.volumes else ", their data is kept")
        )
    elif args.verb == "env":
        print("\n".join(f"{key}={value}" for key, value in cluster.environment().items()))
    elif args.verb == "logs":
        return subprocess.run(cluster.log_command(args.name, args.follow), check=False).returncode
    elif args.verb == "drill":
        from drill import drill

        return drill(cluster, say)
    elif args.verb in ("kill", "start"):
        getattr(cluster, args.verb)(args.name)
        print(f"{args.name} {'is ended' if args.verb == 'kill' else 'is up'}")
    elif args.watch:
        from status_watch import watch_status

        watch_status(cluster)
    else:
        return print_status(cluster)
    return 0


def choose(docker: bool, offset: int, only_look: bool = False) -> "Cluster":
    """The cluster in containers if it is asked for or runs, else that of processes. Raises UserError.

    `only_look`: nothing will be started, so that a login of another kind may stand in for the password.
    """
    from clusters import with_stand_in
    from docker_containers import is_running
    from kafka_cluster.settings import env_file_values

    variables = env_file_values() | dict(os.environ)
    if only_look and not offset:
        variables = with_stand_in(variables)
    if docker and offset:
        raise UserError(
            "--port-offset is for the servers as processes: containers have the ports of the compose file"
        )
    in_containers = docker
    if not docker and not offset:
        try:
            in_containers = is_running()
        except UserError as error:  # servers as processes need no Docker, nor the right to ask it
            print(f"cluster.py: only servers as processes are looked at: {error}", file=sys.stderr)
    if in_containers:
        from compose_cluster import ComposeCluster

        return ComposeCluster(variables, say=say)
    from native_cluster import NativeCluster  # only here: Windows lacks what it imports

    return NativeCluster(variables, offset, say)


def say(text: str) -> None:
    print(text, flush=True)


def up(cluster: "Cluster") -> None:
    started = time.monotonic()
    seconds = cluster.up()
    phases = ", ".join(f"{phase} {took:.1f} s" for phase, took in seconds.items())
    print("\n".join([f"up after {time.monotonic() - started:.1f} s ({phases})", *cluster.hints()]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in ("init", "up", "down", "status", "doctor", "logs", "kill", "start", "env", "drill"):
        command = verbs.add_parser(verb)
        command.add_argument(
            "--port-offset", type=int, default=0, metavar="N", help="a second cluster beside the first"
        )
        if verb != "init":
            command.add_argument(
                "--docker", action="store_true", help="the servers in containers, by docker-compose"
            )
        if verb == "down":
            command.add_argument("--volumes", action="store_true", help="delete the data too")
        if verb in ("logs", "kill", "start"):
            command.add_argument("name", help="the server, such as kafka1")
        if verb == "status":
            command.add_argument("--watch", action="store_true", help="show it live, until Ctrl-C")
        if verb == "logs":
            command.add_argument("-f", "--follow", action="store_true", help="go on printing")
    args = parser.parse_args()
    if not 0 <= args.port_offset <= 35_000:
        raise UserError("--port-offset must be from 0 to 35000")
    return args


if __name__ == "__main__":
    run(main)
