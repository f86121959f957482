# SPDX-License-Identifier: Apache-2.0
"""What is fetched is what the lock says, from a real archive in a folder, signed by a real key."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image.apt import AptError
from image.errors import ImageError
from image.fetch import FetchError, fetch, main, parse_wanted, refresh
from image.lock import Package, load_lock, lock_text
from tests.image.debs import deb, tar

BYTES = {
    name: deb(tar((f"./usr/share/{name}", name.encode()))) for name in ("base", "tool", "extra")
}
DEPENDS = {"tool": "base (>= 1)", "base": "", "extra": ""}


def package(name: str, version: str = "1:2.0-1") -> Package:
    data = BYTES[name]
    digest = hashlib.sha256(data).hexdigest()
    return Package(name, version, "amd64", "sid", len(data), digest, "src")


def gpg(home: Path, *arguments: str) -> None:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of Debian's layout with the suite sid, signed; its key is key.gpg."""
    if not shutil.which("apt-get") or not shutil.which("gpg"):
        pytest.skip("apt-get and gpg are Debian's; packages cannot be fetched without them")
    root = tmp_path_factory.mktemp("archive")
    index = root / "dists/sid/main/binary-amd64"
    index.mkdir(parents=True)
    stanzas = ""
    for name, data in BYTES.items():
        (root / f"{name}.deb").write_bytes(data)
        entry = package(name)
        stanzas += f"Package: {name}\nVersion: {entry.version}\nArchitecture: amd64\n"
        stanzas += f"Source: src (2.0-1)\nMaintainer: nobody\nDescription: {name}\n"
        stanzas += f"Depends: {DEPENDS[name]}\n" if DEPENDS[name] else ""
        stanzas += f"Filename: {name}.deb\nSize: {entry.size}\nSHA256: {entry.sha256}\n\n"
    (index / "Packages").write_text(stanzas)
    listed = (index / "Packages").read_bytes()
    (root / "Release").write_text(
        "Suite: sid\nCodename: sid\nArchitectures: amd64\nComponents: main\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(listed).hexdigest()} {len(listed)} main/binary-amd64/Packages\n"
    )
    home = Path("/tmp") / f"sealroom-gpg-{os.getpid()}"  # a socket's path has 108 bytes
    home.mkdir(mode=0o700)
    try:
        gpg(home, "--passphrase", "", "--quick-gen-key", "tests", "ed25519", "sign", "never")
        gpg(
            home,
            "--clearsign",
            "--output",
            str(root / "dists/sid/InRelease"),
            str(root / "Release"),
        )
        gpg(home, "--export", "--output", str(root / "key.gpg"))
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        shutil.rmtree(home)
    return root


@pytest.fixture
def mirrored(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEALROOM_DEBIAN_MIRROR", f"file:{archive}")
    monkeypatch.setattr("image.apt.machine_sources", list)
    monkeypatch.setattr("image.apt.KEYRING", archive / "key.gpg")
    return archive


def write_lock(folder: Path, *packages: Package) -> Path:
    lock = folder / "some.json"
    lock.write_text(lock_text(list(packages)))
    return lock


def test_packages_come_by_name_and_version_and_stay_in_the_cache(
    mirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = write_lock(tmp_path, package("tool"), package("base"))
    got = fetch(lock, tmp_path / "cache")
    assert {name: path.read_bytes() for name, path in got.items()} == {
        name: BYTES[name] for name in ("base", "tool")
    }
    monkeypatch.setenv("SEALROOM_DEBIAN_MIRROR", f"file:{mirrored}/gone")
    assert fetch(lock, tmp_path / "cache") == got


@pytest.mark.usefixtures("mirrored")
def test_a_damaged_package_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    lock = write_lock(tmp_path, package("tool"))
    path = fetch(lock, tmp_path / "cache")["tool"]
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert fetch(lock, tmp_path / "cache")["tool"].read_bytes() == BYTES["tool"]


@pytest.mark.usefixtures("mirrored")
def test_other_bytes_under_the_same_version_are_refused(tmp_path: Path) -> None:
    lock = write_lock(tmp_path, replace(package("tool"), sha256="00" * 32))
    with pytest.raises(FetchError, match=r"tool 1:2\.0-1: wanted sha256 0{64}, got [0-9a-f]{64}"):
        fetch(lock, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("mirrored")
def test_another_size_is_refused(tmp_path: Path) -> None:
    lock = write_lock(tmp_path, replace(package("tool"), size=7))
    with pytest.raises(FetchError, match=r"tool 1:2\.0-1: wanted 7 bytes, got"):
        fetch(lock, tmp_path / "cache")


@pytest.mark.usefixtures("mirrored")
def test_a_version_the_mirror_dropped_is_named_with_what_it_has(tmp_path: Path) -> None:
    lock = write_lock(tmp_path, package("tool", "1:1.9-1"), package("base"))
    with pytest.raises(
        FetchError, match=r"tool: wanted 1:1\.9-1, the mirror has 1:2\.0-1"
    ) as caught:
        fetch(lock, tmp_path / "cache")
    assert "SEALROOM_DEBIAN_MIRROR" in str(caught.value)
    assert "base" not in str(caught.value)


@pytest.mark.usefixtures("mirrored")
def test_an_index_signed_by_another_key_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none.gpg").touch()
    monkeypatch.setattr("image.apt.KEYRING", tmp_path / "none.gpg")
    with pytest.raises(AptError, match="NO_PUBKEY"):
        fetch(write_lock(tmp_path, package("tool")), tmp_path / "cache")


def test_an_archive_that_is_not_there_is_a_failure(
    mirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALROOM_DEBIAN_MIRROR", f"file:{mirrored}/gone")
    with pytest.raises(AptError, match="update"):
        fetch(write_lock(tmp_path, package("tool")), tmp_path / "cache")


@pytest.mark.usefixtures("mirrored")
def test_a_refresh_resolves_the_list_beside_the_lock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = write_lock(tmp_path, package("extra"), package("tool", "1:1.9-1"))
    lock.with_suffix(".in").write_text("# what and why\nsid +tool\n")
    assert main(["--refresh", str(lock)]) == 0
    assert load_lock(lock) == (package("base"), package("tool"))
    told = capsys.readouterr().err
    assert "base: - -> 1:2.0-1" in told
    assert "extra: 1:2.0-1 -> -" in told
    assert "tool: 1:1.9-1 -> 1:2.0-1" in told


@pytest.mark.usefixtures("mirrored")
def test_a_refresh_without_plus_takes_the_package_alone(tmp_path: Path) -> None:
    lock = tmp_path / "some.json"
    lock.with_suffix(".in").write_text("sid tool\n")
    refresh(lock)
    assert load_lock(lock) == (package("tool"),)


@pytest.mark.usefixtures("mirrored")
def test_a_refresh_names_the_package_that_is_not_there(tmp_path: Path) -> None:
    lock = tmp_path / "some.json"
    lock.with_suffix(".in").write_text("sid absent\n")
    with pytest.raises(ImageError, match="absent"):
        refresh(lock)


@pytest.mark.parametrize("line", ["sid", "woody tool", "sid tool base", "sid -otool", "sid ++tool"])
def test_a_line_that_is_not_suite_and_package_is_refused(line: str) -> None:
    with pytest.raises(FetchError, match="list: wanted"):
        parse_wanted(line)


def test_the_command_says_what_was_wrong_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "absent.json")]) == 1
    assert "absent.json" in capsys.readouterr().err
