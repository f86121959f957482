# SPDX-License-Identifier: Apache-2.0
"""Wheels of the image: locked to one file each, unpacked and never installed."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image import wheels
from image.cpio import CpioError
from image.wheels import (
    BINDING_PROJECT,
    Pin,
    WheelError,
    binding_files,
    fetch_wheels,
    locked_versions,
    package_files,
    parse_pins,
    pins_text,
    wheel_files,
)
from tests.contract.repository import text
from tests.image.parts import sdist, wheel

PINS = parse_pins(wheels.LOCK.read_text())
LINE = "h2==4.4.1 --hash=sha256:" + "0" * 64 + "\n"


def test_the_lock_is_what_is_asked_for_beside_it() -> None:
    rows = text("image/locks/wheels.in").splitlines()
    assert [pin.name for pin in PINS] == [row for row in rows if not row.startswith("#")]


def test_every_file_is_one_that_the_guests_lock_has() -> None:
    locked = locked_versions(text("requirements/guest.txt"))
    for pin in PINS:
        version, digests = locked[pin.name]
        assert pin.version == version
        assert pin.sha256 in digests


def test_of_the_guests_lock_only_what_nobody_imports_is_missing() -> None:
    missing = set(locked_versions(text("requirements/guest.txt"))) - {pin.name for pin in PINS}
    rows = text("docs/adr/0004-dependencies-in-the-guest.md").splitlines()
    nowhere = {row.split("`")[1] for row in rows if "| nowhere |" in row}
    assert missing == nowhere


def test_a_lock_is_written_as_it_is_read() -> None:
    assert pins_text(list(PINS)) == wheels.LOCK.read_text()


OTHER_SPELLINGS = (
    "",
    LINE + LINE,
    LINE + LINE.replace("h2", "cffi"),
    LINE.replace("sha256", "md5"),
    LINE.replace("==", ">="),
    LINE.replace("h2", "H2"),
    LINE[:-1],
    "# note\n" + LINE,
)


@pytest.mark.parametrize("lock", OTHER_SPELLINGS)
def test_a_lock_in_another_spelling_is_refused(lock: str) -> None:
    with pytest.raises(WheelError, match="lock: wanted"):
        parse_pins(lock)


@given(st.text(max_size=200))
def test_any_text_is_a_lock_or_is_refused(lock: str) -> None:
    try:
        pins = parse_pins(lock)
    except WheelError:
        return
    assert pins_text(list(pins)) == lock


def test_a_wheels_files_come_without_its_metadata(tmp_path: Path) -> None:
    files = {"h2/__init__.py": b"1", "h2/": b"", "h2-4.dist-info/RECORD": b"r"}
    (entry,) = wheel_files(wheel(tmp_path / "h2.whl", files))
    assert (entry.path, entry.data, entry.permissions) == ("h2/__init__.py", b"1", 0o644)


def test_a_wheel_with_files_for_other_places_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path / "a.whl", {"a-1.data/scripts/run": b""})
    with pytest.raises(WheelError, match=r"wanted files in site-packages, got a-1.data"):
        list(wheel_files(path))


@pytest.mark.parametrize("name", ["../a.py", "/a.py", "a//b.py"])
def test_a_wheel_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CpioError, match="plain relative path"):
        list(wheel_files(wheel(tmp_path / "a.whl", {name: b""})))


def test_a_wheel_with_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "MEMBERS_MAX_ITEMS", 1)
    path = wheel(tmp_path / "a.whl", {"a": b"", "b": b""})
    with pytest.raises(WheelError, match="1 members at most"):
        list(wheel_files(path))


def test_a_file_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "MEMBER_MAX_BYTES", 3)
    with pytest.raises(WheelError, match="3 bytes at most"):
        list(wheel_files(wheel(tmp_path / "a.whl", {"a": b"four"})))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_wheel_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.whl"
    path.write_bytes(data)
    with pytest.raises(WheelError):
        list(wheel_files(path))


def test_of_the_binding_two_modules_are_taken(tmp_path: Path) -> None:
    files = dict.fromkeys((*wheels.BINDING, "llama_cpp/__init__.py", "setup.py"), b"x")
    path = sdist(tmp_path / "l.tar.gz", files)
    assert {entry.path for entry in binding_files(path)} == set(wheels.BINDING)


def test_a_binding_without_one_of_them_is_refused(tmp_path: Path) -> None:
    path = sdist(tmp_path / "l.tar.gz", {wheels.BINDING[0]: b"x"})
    with pytest.raises(WheelError, match=wheels.BINDING[1]):
        list(binding_files(path))


def test_bytes_that_are_no_archive_are_no_binding(tmp_path: Path) -> None:
    (tmp_path / "l.tar.gz").write_bytes(b"no")
    with pytest.raises(WheelError, match="wanted a source distribution"):
        list(binding_files(tmp_path / "l.tar.gz"))


def test_all_packages_come_together(tmp_path: Path) -> None:
    paths = {
        "h2": wheel(tmp_path / "h2.whl", {"h2.py": b""}),
        BINDING_PROJECT: sdist(tmp_path / "l.tar.gz", dict.fromkeys(wheels.BINDING, b"")),
    }
    assert {entry.path for entry in package_files(paths)} == {"h2.py", *wheels.BINDING}


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path]:
    """A lock of one wheel, and a cache that has it."""
    path = wheel(tmp_path / "h2.whl", {"h2.py": b""})
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(tmp_path / f"{sha256}.whl")
    lock = tmp_path / "lock.txt"
    lock.write_text(pins_text([Pin("h2", "4.4.1", sha256)]))
    return lock, tmp_path


def test_what_the_cache_has_is_not_fetched(kept: tuple[Path, Path]) -> None:
    lock, cache = kept
    assert fetch_wheels(lock, cache)["h2"].parent == cache


@pytest.mark.slow
def test_a_damaged_file_of_the_cache_is_not_believed(
    kept: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, cache = kept
    (path,) = cache.glob("*.whl")
    path.write_bytes(path.read_bytes() + b"x")
    # pip asks an index that is not there.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(WheelError, match="h2: wanted one file from pip"):
        fetch_wheels(lock, cache)
