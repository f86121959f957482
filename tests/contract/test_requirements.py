# SPDX-License-Identifier: Apache-2.0
"""The requirement files lock one set of versions with hashes; the guest's are each justified."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.contract.repository import files, pins, text

LOCKS = files("requirements/*.txt")
APART = {"model", "bench-peers"}  # data, and an environment of its own
GUEST_ADR = "docs/adr/0004-dependencies-in-the-guest.md"
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def names(requirements: list[str]) -> set[str]:
    return {match[0].lower() for item in requirements if (match := NAME.match(item))}


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_locked_requirement_is_pinned_with_a_hash(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", text(lock).strip())
    unpinned = [block for block in blocks if not re.match(r"\S+==\S+ \\\n +--hash=sha256:", block)]
    assert blocks
    assert unpinned == []


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_lock_holds_what_its_source_pins(lock: Path) -> None:
    wanted = pins(lock.with_suffix(".in"))
    assert {name: pins(lock).get(name) for name in wanted} == wanted


@pytest.mark.parametrize("lock", [path for path in LOCKS if path.stem not in APART], ids=str)
def test_the_developers_lock_agrees_with_every_other(lock: Path) -> None:
    everything = pins("requirements/dev.txt")
    assert {name: everything.get(name) for name in pins(lock)} == pins(lock)


def test_what_the_benchmarks_peers_share_with_us_is_the_same() -> None:
    ours, theirs = pins("requirements/dev.txt"), pins("requirements/bench-peers.txt")
    shared = ours.keys() & theirs.keys()
    assert shared >= {"cryptography", "rfc8785"}
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


def test_the_wheels_metadata_names_what_the_rooms_lock() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    sdk = names(project["dependencies"])
    extras = {name: names(items) for name, items in project["optional-dependencies"].items()}
    assert sdk == pins("requirements/sdk.in").keys()
    assert pins("requirements/guest.in").keys() <= sdk | extras["guest"]
    assert pins("requirements/services.in").keys() <= sdk | extras["services"]


def test_each_package_in_the_guest_is_justified_in_its_adr() -> None:
    rows = set(re.findall(r"^\| `([a-z0-9-]+)`", text(GUEST_ADR), re.MULTILINE))
    assert rows == pins("requirements/guest.txt").keys()
