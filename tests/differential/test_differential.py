# SPDX-License-Identifier: Apache-2.0
"""The table of explanations is sound, and, where Go is, its peers say what the table says they do.

The peers in Rust take half an hour to build: `make differential` asks all of them.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from attest import Reason
from tests.differential.__main__ import PAGE, corpus, problems, run
from tests.differential.explained import Side
from tests.differential.items import Item
from tests.differential.peers import HERE, PEERS, SNPGUEST, Peer, missing_tools
from tests.differential.table import EXPLANATIONS

IN_GO = [peer for peer, facts in PEERS.items() if facts.tool == "go"]
LIST_SECONDS = 300

# Nothing may explain away one of these for all items: they are what verification is.
SIGNATURES = {reason for reason in Reason if "signature" in reason and "crl" not in reason}


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.id for row in EXPLANATIONS]
    assert len(set(names)) == len(names)


def test_every_row_says_when_it_holds() -> None:
    for row in EXPLANATIONS:
        if row.side is Side.WE_REFUSE:
            assert bool(row.reasons) != bool(row.statuses), row.id
            assert not row.text, row.id
        else:
            assert row.text, row.id
            assert not row.reasons | row.statuses, row.id


def test_no_row_explains_a_bad_signature_for_all_items() -> None:
    assert all(row.only for row in EXPLANATIONS if row.reasons & SIGNATURES)


def test_every_row_stands_on_the_page() -> None:
    page = PAGE.read_text()
    assert all(row.what in page and row.words.source in page for row in EXPLANATIONS)


def test_the_page_names_the_versions_that_are_built() -> None:
    page = PAGE.read_text()
    built = tomllib.loads((HERE / "rust" / "Cargo.toml").read_text())["dependencies"]
    assert built["sev"]["version"] == f"={PEERS[Peer.SEV].version}"
    assert built["dcap-qvl"]["version"] == f"={PEERS[Peer.DCAP_QVL].version}"
    assert PEERS[Peer.SNPGUEST].version == SNPGUEST
    modules = (HERE / "go" / "go.mod").read_text()
    assert all(f"/{peer} {PEERS[peer].version}\n" in modules for peer in IN_GO)
    assert all(f"| {peer} | {facts.version} |" in page for peer, facts in PEERS.items())


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return corpus(None)


@pytest.mark.interop
@pytest.mark.slow
def test_every_item_has_a_name_of_its_own(items: list[Item]) -> None:
    names = [(type(item), item.name) for item in items]
    assert len(set(names)) == len(names)


@pytest.mark.interop
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_difference_from_the_libraries_in_go_is_explained(
    items: list[Item], tmp_path: Path
) -> None:
    if missing := missing_tools(IN_GO):
        pytest.skip(f"go-sev-guest and go-tdx-guest were NOT asked: {missing[0]} is not on PATH")
    listed = subprocess.run(
        ["go", "list", "-deps", "."],
        cwd=HERE / "go",
        capture_output=True,
        text=True,
        check=False,
        timeout=LIST_SECONDS,
    )
    if listed.returncode:
        why = " ".join(listed.stderr.split())[-200:]
        pytest.skip(f"go-sev-guest and go-tdx-guest were NOT asked: no modules: {why}")
    assert problems(run(IN_GO, items, tmp_path)) == []
