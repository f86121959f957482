# SPDX-License-Identifier: Apache-2.0
"""A lock has one spelling, and the committed locks are in it."""

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.lock import LockError, Package, load_lock, lock_text, parse_lock

FOLDER = Path(__file__).resolve().parents[2] / "image/locks"
# The model's is no list of packages (image/model.py).
LOCKS = sorted(path for path in FOLDER.glob("*.json") if path.stem != "model")
TOOL = Package("zstd", "1.5.7+dfsg-1", "amd64", "trixie", 1000, "ab" * 32, "libzstd")
OTHER = replace(TOOL, name="make")


def test_what_is_written_is_read_again_sorted_by_name() -> None:
    assert parse_lock(lock_text([TOOL, OTHER])) == (OTHER, TOOL)


@pytest.mark.parametrize("lock", LOCKS, ids=[path.stem for path in LOCKS])
def test_each_committed_lock_is_in_its_one_spelling(lock: Path) -> None:
    assert load_lock(lock)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../zstd"),
        ("name", "-o=Dir::Etc=x"),
        ("version", "1.5 7"),
        ("version", ""),
        ("arch", "arm64"),
        ("suite", "trixie/main"),
        ("size", 0),
        ("size", True),
        ("size", 1 << 30),
        ("sha256", "AB" * 32),
        ("sha256", "ab" * 31),
        ("source", None),
    ],
)
def test_a_field_of_another_form_is_refused(field: str, value: Any) -> None:
    with pytest.raises(LockError, match="wanted"):
        parse_lock("[\n" + json.dumps({**asdict(TOOL), field: value}) + "\n]\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]\n",
        "[1]",
        "[" * 100_000,
        lock_text([TOOL]) + " ",
        lock_text([TOOL, TOOL]),
        lock_text([TOOL]).replace(": ", ":", 1),
        lock_text([TOOL]).replace('"name"', '"title"', 1),
        "[\n" + ",\n".join(json.dumps(asdict(each)) for each in (TOOL, OTHER)) + "\n]\n",
    ],
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(LockError):
        parse_lock(text)


@given(st.text(max_size=200))
def test_any_text_is_a_lock_or_refused(text: str) -> None:
    with contextlib.suppress(LockError):
        assert parse_lock(text)
