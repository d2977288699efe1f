"""The doctor's checks that need no server: settings, keys, this machine, and which of the servers run."""

import ipaddress
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from clusters import Listener
from findings import Check, Finding, Patient, fault, ok, warning
from kafka_cluster.script import ROOT
from kafka_cluster.settings import ENV_FILE, Settings
from kafka_cluster.x_keys import can_read_x, what_the_keys_allow

SHORT_PASSWORD, FEW_SIGNS = 12, 6
GUESSED = {
    "changeme",
    "elastic",
    "elasticsearch",
    "kibana",
    "kafka",
    "password",
    "qwerty",
    "secret",
    "twitter",
    "admin",
}


def env_file(_: Patient) -> Iterator[Finding]:
    """Who may read `.env`. What stands in it was read before."""
    yield readable_by_others(ENV_FILE)


def readable_by_others(path: Path) -> Finding:
    """`.env` holds the password and X's keys."""
    if not path.exists():
        return ok("there is no .env: variables of the environment stand in its place")
    if os.name != "nt" and path.stat().st_mode & 0o077:
        what = ".env, which holds passwords and keys, can be read by other users of this machine"
        return warning(what, f"chmod 600 {path.name}")
    return ok("those of .env can be used, and only you can read them")


def password(patient: Patient) -> Iterator[Finding]:
    """Whether Elasticsearch's password is easily guessed."""
    secret = patient.settings.elasticsearch_password
    if not secret:
        key = patient.settings.elasticsearch_api_key
        stands_in = "an API key stands" if key else "passwords of the scripts' own users stand"
        yield ok(f"no elasticsearch_password: {stands_in} in its place")
        return
    if why := weakness(secret, patient.settings.elasticsearch_user):
        cure = (
            "put a longer one into .env (python3 -c 'import secrets; print(secrets.token_urlsafe(18))') and start the "
            "servers anew; in containers the old one stays with its volume, until that is deleted (docker volume ls)"
        )
        yield warning(f"elasticsearch_password is weak: {why}", cure)
    yield ok(f"elasticsearch_password has {len(secret)} characters")


def weakness(secret: str, user: str) -> str | None:
    """Why a password is easily guessed; None where it is not."""
    if len(secret) < SHORT_PASSWORD:
        return f"{len(secret)} characters, fewer than {SHORT_PASSWORD}"
    if len(set(secret)) < FEW_SIGNS:
        return f"only {len(set(secret))} different characters"
    letters = re.sub("[^a-z]", "", secret.lower())
    if letters and any(word and not letters.replace(word, "") for word in {*GUESSED, user.lower()}):
        return "a word that everybody tries"
    return None


def x_keys(patient: Patient) -> Iterator[Finding]:
    """What X's keys can do; X itself is not asked."""
    settings = patient.settings
    allowed = what_the_keys_allow(settings)
    if can_read_x(settings):
        if not (ROOT / settings.rules_file).is_file():
            cure = f"cp rules.example.txt {settings.rules_file}, and write your rules there"
            yield warning(f"{allowed}, but there is no {settings.rules_file}: no rules, no stream", cure)
        yield ok(f"{allowed} (producer.py check asks X itself, for free)")
    elif any((settings.api_key, settings.api_secret, settings.access_token, settings.access_token_secret)):
        yield warning(
            f"{allowed}, so a simulated X is read", "put api_key and api_secret of the app into .env"
        )
    else:
        yield ok(f"{allowed}: a simulated X is read")


def memory(patient: Patient) -> Iterator[Finding]:
    """Whether the servers have room, in Docker's virtual machine too."""
    found = patient.cluster.memory()
    room, needed = (f"{size / 2**30:.1f} GB" for size in (found.room, found.needed))
    if found.room < found.needed:
        yield warning(
            f"there are {room} for all servers, and they need {needed}: one may be killed", found.cure
        )
    yield ok(f"{room} for all servers, which need {needed}")


def spill_room(patient: Patient) -> Iterator[Finding]:
    """Whether the spill file can get as large as it may."""
    settings = patient.settings
    folder = ROOT / settings.spill_folder
    free = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free
    room, most = f"{free / 2**30:,.1f} GB", f"{settings.spill_bytes / 2**30:,.1f} GB"
    if free < settings.spill_bytes:
        yield warning(
            f"{room} are free below {folder}, and what waits there while Kafka is away may be {most}",
            "make room, or set spill_folder or spill_bytes in .env",
        )
    yield ok(f"{room} are free where tweets wait while Kafka is away, {most} at most")


def open_ports(patient: Patient) -> Iterator[Finding]:
    """Whether others than this machine reach a server."""
    listeners = patient.cluster.listeners()
    for address, names in beyond_loopback(listeners).items():
        yield warning(
            f"open to others at {address}: {', '.join(names)}; only Elasticsearch and Kibana ask for a password",
            "set bootstrap_servers_ip and bind_address in .env to 127.0.0.1 and start the servers again, or let a "
            "firewall keep out whom you don't trust",
        )
    yield ok(
        "every server is reached from this machine only" if listeners else "no server of cluster.py listens"
    )


def beyond_loopback(listeners: list[Listener]) -> dict[str, list[str]]:
    """Address -> servers and ports, for addresses that others may reach."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, address, port in listeners:
        ip = ipaddress.ip_address(address.partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if not ip.is_loopback:
            found["every address" if ip.is_unspecified else str(ip)].append(f"{name} {port}")
    return {address: list(dict.fromkeys(names)) for address, names in found.items()}


def servers(patient: Patient) -> Iterator[Finding]:
    """Whether all servers run, and whether they are those that the scripts would use."""
    states = patient.cluster.states()
    running = [state for state in states if state.place]
    if not running:
        yield ok("cluster.py started none that runs; those that .env names answer")
        return
    for state in states:
        if not state.well:
            verb = "logs" if state.place else "start"
            what = f"{state.name} ({state.address}): {state.health}"
            yield fault(what, patient.launcher(verb, state.name))
    yield from led_elsewhere(patient.settings, patient.cluster.environment())
    resident = sum(state.resident_bytes for state in states)
    yield ok(f"all {len(states)} run, with {resident / 2**30:.1f} GB of memory")


def led_elsewhere(settings: Settings, environment: dict[str, str]) -> Iterator[Finding]:
    """Where the scripts would use other servers than those that run here."""
    for name in ("bootstrap_servers", "elasticsearch_url", "webhdfs_url"):
        value = getattr(settings, name)
        used = ",".join(value) if isinstance(value, tuple) else value
        if used != environment[name]:
            yield warning(
                f"the scripts use {name} = {used}, but what runs here is {environment[name]}",
                f"take {name}, and the addresses that it is made of, out of .env and the environment",
            )


def none_runs(patient: Patient) -> Iterator[Finding]:
    """For a cluster that is down."""
    yield warning(
        "none runs, and nothing answers where .env says: they were not looked at", patient.launcher("up")
    )


MACHINE_CHECKS = (
    Check("settings", env_file), Check("password", password), Check("X keys", x_keys),
    Check("memory", memory), Check("disk", spill_room), Check("open ports", open_ports),
)  # fmt: skip
"""Those that need no server."""
