# SPDX-License-Identifier: Apache-2.0
"""Tests of `lab.model`, with the model that `make model` made and wheels that are none."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from lab import model
from lab.model import DEFAULT, NAME, PACKAGE, QUANTS, SHIPPED, DigestError, ModelError


def wheel(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{PACKAGE}/{NAME}.{SHIPPED}.gguf", content)
    return path


def test_the_default_model_has_its_pinned_digest() -> None:
    assert model.check_model() == model.default_model()


def test_a_second_run_makes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = model.default_model().stat()
    assert model.main(["--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data == {
        "path": str(model.default_model()),
        "quant": DEFAULT,
        "sha256": QUANTS[DEFAULT].sha256,
    }
    assert model.default_model().stat() == before


def test_a_wheel_with_another_model_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DigestError) as refused:
        model.make_model(wheel=wheel(tmp_path / "a.whl", b"GGUF"), out=out)
    assert refused.value.wanted == QUANTS[SHIPPED].sha256
    assert list(out.iterdir()) == []


def test_a_wheel_without_a_model_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(ModelError, match=r"a\.whl"):
        model.make_model(wheel=tmp_path / "a.whl", out=tmp_path / "out")


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"no zip")
    with pytest.raises(ModelError, match=r"a\.whl"):
        model.make_model(wheel=tmp_path / "a.whl", out=tmp_path / "out")


def test_a_quantizer_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"GGUF but no model"
    other = {**QUANTS, SHIPPED: model.Quant(3, hashlib.sha256(content).hexdigest())}
    monkeypatch.setattr(model, "QUANTS", other)
    out = tmp_path / "out"
    with pytest.raises(ModelError, match="llama_model_quantize"):
        model.make_model(wheel=wheel(tmp_path / "a.whl", content), out=out)
    assert list(out.iterdir()) == []


def test_a_changed_model_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.model_file(tmp_path).write_bytes(b"GGUF")
    assert model.main(["--check", "--out", str(tmp_path)]) == 1
    assert "wanted SHA-256" in capsys.readouterr().err


def test_a_missing_model_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="make model"):
        model.check_model(tmp_path)
