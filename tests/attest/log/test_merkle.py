# SPDX-License-Identifier: Apache-2.0
"""Paths to a root: another project's vectors, and the tree by its recursive definition."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.log.merkle import leaf_hash, root_of
from tests.attest.log.small_log import path, root

VECTORS = Path(__file__).parents[2] / "vectors/tlog/inclusion.json"
ROWS: list[dict[str, Any]] = json.loads(VECTORS.read_text())


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_the_verdict_is_the_other_projects(row: dict[str, Any]) -> None:
    hashes = [decoded(text) for text in row["proof"] or []]
    try:
        got = root_of(decoded(row["leafHash"]), row["leafIdx"], row["treeSize"], hashes)
    except ValueError:
        got = None
    assert (got == decoded(row["root"])) is not row["wantErr"]


@given(st.integers(1, 70), st.data())
def test_every_entry_leads_to_the_root(size: int, data: st.DataObject) -> None:
    entries = [bytes([number]) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    hashes = path(index, entries)
    assert root_of(leaf_hash(entries[index]), index, size, hashes) == root(entries)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_a_path_with_one_hash_more_leads_nowhere(size: int) -> None:
    entries = [bytes([number]) for number in range(size)]
    with pytest.raises(ValueError, match="shorter"):
        root_of(leaf_hash(entries[0]), 0, size, [*path(0, entries), bytes(32)])


@pytest.mark.parametrize("size", [2, 3, 7, 8])
def test_a_path_with_one_hash_less_leads_nowhere(size: int) -> None:
    entries = [bytes([number]) for number in range(size)]
    with pytest.raises(ValueError, match="longer"):
        root_of(leaf_hash(entries[0]), 0, size, path(0, entries)[:-1])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (8, 8), (-1, 8)])
def test_an_entry_that_the_tree_does_not_have_leads_nowhere(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="index"):
        root_of(leaf_hash(b""), index, size, [])
