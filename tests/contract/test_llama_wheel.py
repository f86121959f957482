# SPDX-License-Identifier: Apache-2.0
"""The builder of llama.cpp's wheel takes from its cache only what it put there, for this CPU."""

from pathlib import Path

import pytest

from requirements import llama_wheel
from tests.contract.repository import ROOT

LOCK = ROOT / "requirements" / "dev.txt"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a cache folder with one wheel in it."""
    wheel = tmp_path / "llama_cpp_python-0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    folder = tmp_path / "cache" / "key"
    llama_wheel.keep_wheel(wheel, folder)
    return folder


def test_the_lock_pins_the_source_with_its_hash() -> None:
    block = llama_wheel.locked_requirement(LOCK)
    assert block.startswith("llama-cpp-python==")
    assert block.count("--hash=sha256:") == 1
    assert block.count("==") == 1


def test_a_lock_without_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("numpy==2 \\\n    --hash=sha256:00\n")
    with pytest.raises(llama_wheel.WheelError, match="got none"):
        llama_wheel.locked_requirement(tmp_path / "lock.txt")


def test_what_was_kept_is_found_again(kept: Path) -> None:
    found = llama_wheel.cached_wheel(kept)
    assert found is not None
    assert found.read_bytes() == b"a wheel"


def test_a_damaged_wheel_is_removed_and_not_used(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (wheel,) = kept.glob("*/*.whl")
    wheel.write_bytes(b"a whee1")
    assert llama_wheel.cached_wheel(kept) is None
    assert list(kept.iterdir()) == []
    assert "damaged" in capsys.readouterr().err


def test_an_empty_cache_gives_nothing(tmp_path: Path) -> None:
    assert llama_wheel.cached_wheel(tmp_path / "nothing") is None


def test_a_cache_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / "llama.whl"
    wheel.write_bytes(b"a wheel")
    (tmp_path / "file").write_text("not a folder")
    llama_wheel.keep_wheel(wheel, tmp_path / "file" / "key")
    assert "not kept" in capsys.readouterr().err


def test_the_key_depends_on_the_source_and_on_the_compilers_flags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CXXFLAGS", raising=False)
    plain = llama_wheel.cache_key("llama-cpp-python==1")
    assert plain == llama_wheel.cache_key("llama-cpp-python==1")
    assert plain != llama_wheel.cache_key("llama-cpp-python==2")
    monkeypatch.setenv("CXXFLAGS", "-O1")
    assert plain != llama_wheel.cache_key("llama-cpp-python==1")


def test_a_missing_compiler_is_named_with_its_debian_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(llama_wheel.WheelError, match=r"apt install g\+\+"):
        llama_wheel.compiler_version()


def test_a_build_without_its_programs_names_their_debian_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(llama_wheel.WheelError, match=r"apt install cmake gcc g\+\+"):
        llama_wheel.build_wheel("llama-cpp-python==1", tmp_path, tmp_path / "log")


def test_the_key_names_this_cpus_features() -> None:
    assert any(row.startswith(("flags=", "Features=")) for row in llama_wheel.cpu_features())
