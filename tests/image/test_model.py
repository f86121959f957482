# SPDX-License-Identifier: Apache-2.0
"""The model that an image is made for: locked, or named by whoever builds another."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image import model
from image.model import Model, ModelError, load_model, parse_model
from lab.model import DEFAULT, QUANTS, model_file

ROW = {"name": "m.gguf", "sha256": hashlib.sha256(b"GGUF").hexdigest(), "size": 4}


def text(**changed: object) -> str:
    return json.dumps({**ROW, **changed}, indent=1) + "\n"


def test_the_locked_model_is_the_labs_default() -> None:
    locked = parse_model(model.LOCK.read_text())
    assert locked.name == model_file().name
    assert locked.sha256 == QUANTS[DEFAULT].sha256


def test_a_lock_is_read() -> None:
    assert parse_model(text()) == Model("m.gguf", str(ROW["sha256"]), 4)


@pytest.mark.parametrize(
    "lock",
    [
        "",
        "[]",
        "{}",
        json.dumps(ROW),
        text(more=1),
        text(size=0),
        text(size="4"),
        text(size=True),
        text(size=model.MODEL_MAX_BYTES + 1),
        text(sha256="00"),
        text(name="../m.gguf"),
        text(name=""),
    ],
)
def test_another_spelling_is_refused(lock: str) -> None:
    with pytest.raises(ModelError, match="lock: wanted"):
        parse_model(lock)


@given(st.text(max_size=100))
def test_any_text_is_a_lock_or_is_refused(lock: str) -> None:
    with pytest.raises(ModelError):
        parse_model(lock)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_text(text())
    return path


def test_without_the_file_the_locked_digest_is_enough(tmp_path: Path, lock: Path) -> None:
    assert load_model(lock=lock, folder=tmp_path).path is None


def test_the_locked_file_is_found(tmp_path: Path, lock: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert load_model(lock=lock, folder=tmp_path).path == tmp_path / "m.gguf"


def test_another_file_in_its_place_is_refused(tmp_path: Path, lock: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"FUGG")
    with pytest.raises(ModelError, match="wanted sha256"):
        load_model(lock=lock, folder=tmp_path)


def test_another_model_is_taken_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"other")
    found = load_model(tmp_path / "other.gguf")
    assert (found.size, found.sha256) == (5, hashlib.sha256(b"other").hexdigest())


def test_an_empty_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"")
    with pytest.raises(ModelError, match="wanted up to"):
        load_model(tmp_path / "m")


def test_a_path_without_a_file_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="wanted a model"):
        load_model(tmp_path / "m")
