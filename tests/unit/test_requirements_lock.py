"""requirements.lock is requirements.txt with every package pinned, each by the hashes of its files."""

import re
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kafka_cluster.script import ROOT


def wanted() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Name -> what is pinned, and its hashes."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            pinned, *hashes = re.split(r" +--hash=", line.strip())
            requirement = Requirement(pinned)
            found[canonicalize_name(requirement.name)] = (requirement, hashes)
    return found


def test_every_package_is_pinned_by_hashes_from_the_public_index() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text and not re.search(r"(?m)^\s*-(?!-hash=sha256:)", text)
    for requirement, hashes in locked().values():
        assert re.fullmatch(r"==[\w.+!-]+", str(requirement.specifier)), requirement
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), requirement


def test_it_agrees_with_the_requirements_and_holds_all_that_they_need() -> None:
    pinned, open_ends, seen = locked(), wanted(), set()
    assert len(open_ends) > 8
    while open_ends:
        need = open_ends.pop()
        name = canonicalize_name(need.name)
        assert name in pinned, f"{need} is not in requirements.lock: make it anew (CONTRIBUTING.md)"
        (version,) = pinned[name][0].specifier
        assert need.specifier.contains(version.version), f"{need}, and the lock has {version}: make it anew"
        if (name, *sorted(need.extras)) in seen:
            continue
        seen.add((name, *sorted(need.extras)))
        for line in distribution(name).requires or ():
            more = Requirement(line)
            extras = need.extras or {""}
            if not more.marker or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                open_ends.append(more)
