# SPDX-License-Identifier: Apache-2.0
"""The manifest of a build: of its files alone, compared by field, never over a release."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image import measure, overlay
from image.history import HistoryError, check_history
from sealroom.release.folder import read_folder
from sealroom.release.layout import MANIFEST, image_paths
from sealroom.release.manifest import ImageVariant, Status, parse_manifest, write_manifest
from tests.image import oracle
from tests.sealroom import released

Capture = pytest.CaptureFixture[str]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, with a build in it and locks, and nothing measured yet."""
    for folder in ("release", "locks", "measurements"):
        (tmp_path / folder).mkdir()
    released.write_files(tmp_path / "release")
    for name in measure.INPUTS:
        (tmp_path / "locks" / name).write_text(f"lock {name}\n")
    monkeypatch.setattr(measure, "CHECKOUT", tmp_path)
    monkeypatch.setattr(measure, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(measure, "MEASUREMENTS", tmp_path / "measurements")
    monkeypatch.setattr(overlay, "version", lambda: released.VERSION)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "begin")
    return tmp_path


def git(place: Path, *words: str) -> None:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(place), *who, *words], check=True)


def commit(place: Path, message: str) -> None:
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--allow-empty", "--message", message)


def run(place: Path, *words: str) -> int:
    return measure.main([*words, "--release", str(place / "release")])


def manifest_of(place: Path) -> Path:
    return place / "measurements" / released.VERSION / MANIFEST


def release_it(place: Path) -> None:
    """Call the committed draft a release."""
    path = manifest_of(place)
    final = replace(parse_manifest(path.read_bytes()), status=Status.RELEASED)
    path.write_bytes(write_manifest(final))
    commit(place, "release")


def test_what_is_written_is_found_again(place: Path, capsys: Capture) -> None:
    assert run(place, "--write") == 0
    manifest = parse_manifest(manifest_of(place).read_bytes())
    assert (manifest.version, manifest.status) == (released.VERSION, Status.DRAFT)
    assert (place / "release" / MANIFEST).read_bytes() == manifest_of(place).read_bytes()
    assert run(place, "--check") == 0
    assert capsys.readouterr().out.count("manifest 1.2.3 (draft)  ") == 2


def test_the_same_files_give_the_same_manifest(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert run(place, "--write") == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    released.write_files(elsewhere)
    again = measure.make_manifest(read_folder(elsewhere, released.nothing), "1.2.3", Status.DRAFT)
    assert write_manifest(again) == manifest_of(place).read_bytes()


def test_a_build_that_is_the_published_one_gets_its_manifest(place: Path) -> None:
    assert run(place, "--write") == 0
    beside = place / "release" / MANIFEST
    beside.unlink()
    kernel = place / "release" / image_paths(ImageVariant.TEST)["kernel"]
    data = kernel.read_bytes()
    kernel.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert run(place, "--check") == 1
    assert not beside.exists()
    kernel.write_bytes(data)
    assert run(place, "--check") == 0
    assert beside.read_bytes() == manifest_of(place).read_bytes()


def test_without_a_manifest_the_check_fails(place: Path, capsys: Capture) -> None:
    assert run(place) == 1
    assert "wanted measurements/1.2.3/manifest.json, got none" in capsys.readouterr().err


def test_every_field_that_differs_is_told(place: Path, capsys: Capture) -> None:
    assert run(place, "--write") == 0
    kernel = place / "release" / image_paths(ImageVariant.TEST)["kernel"]
    data = bytearray(kernel.read_bytes())
    data[-1] ^= 1
    kernel.write_bytes(data)
    assert run(place, "--check") == 1
    said = capsys.readouterr().err
    assert "manifest.images.test.files.vmlinuz.sha256: committed " in said
    assert "manifest.images.test.snp.rows[0].digests[0]: committed " in said
    assert "manifest.images.production" not in said
    assert "more" in said.splitlines()[-1]


def test_a_lock_that_changes_is_told(place: Path, capsys: Capture) -> None:
    assert run(place, "--write") == 0
    (place / "locks" / "rootfs.json").write_text("another")
    assert run(place, "--check") == 1
    assert "manifest.locks[3].sha256: committed " in capsys.readouterr().err


def test_a_build_that_is_not_whole_is_not_measured(place: Path, capsys: Capture) -> None:
    (place / "release" / "model.gguf").unlink()
    assert run(place, "--write") == 1
    assert "model.gguf: wanted a file of the release, got none" in capsys.readouterr().err
    assert not manifest_of(place).exists()


def test_a_released_manifest_is_written_over_by_no_command(place: Path, capsys: Capture) -> None:
    assert run(place, "--write") == 0
    release_it(place)
    assert run(place, "--check") == 0
    (place / "release" / "model.gguf").write_bytes(b"GGUF and weights")
    (place / "locks" / "rootfs.json").write_text("another")
    before = manifest_of(place).read_bytes()
    assert run(place, "--write") == 1
    assert "1.2.3 is released: wanted a new version" in capsys.readouterr().err
    assert manifest_of(place).read_bytes() == before


def test_a_draft_may_change_and_go(place: Path) -> None:
    assert run(place, "--write") == 0
    commit(place, "draft")
    (place / "locks" / "rootfs.json").write_text("another")
    assert run(place, "--write") == 0
    commit(place, "another draft")
    manifest_of(place).unlink()
    check_history(place, "measurements")


@pytest.mark.parametrize("then", ["changed", "taken away", "called a draft"])
def test_a_released_manifest_stays(then: str, place: Path) -> None:
    assert run(place, "--write") == 0
    release_it(place)
    path = manifest_of(place)
    manifest = parse_manifest(path.read_bytes())
    if then == "changed":
        path.write_bytes(write_manifest(replace(manifest, prompts=bytes(32))))
    elif then == "taken away":
        path.unlink()
    else:
        path.write_bytes(write_manifest(replace(manifest, status=Status.DRAFT)))
    commit(place, then)
    with pytest.raises(HistoryError, match=r"wanted the manifest released in [0-9a-f]{12}, got "):
        check_history(place, "measurements")


def test_a_released_manifest_of_another_schema_stays(place: Path) -> None:
    path = manifest_of(place)
    path.parent.mkdir()
    path.write_bytes(b'{"format":"sealroom-release/9","status":"released"}')
    commit(place, "of the future")
    path.unlink()
    with pytest.raises(HistoryError, match="got none"):
        check_history(place, "measurements")


def test_what_is_no_manifest_is_no_history(place: Path) -> None:
    path = manifest_of(place)
    path.parent.mkdir()
    path.write_bytes(b"{} ")
    commit(place, "spaces")
    with pytest.raises(HistoryError, match="not canonical"):
        check_history(place, "measurements")


def test_a_release_of_a_branch_that_a_merge_did_not_take_stays(place: Path) -> None:
    assert run(place, "--write") == 0
    commit(place, "draft")
    git(place, "checkout", "--quiet", "-b", "side")
    release_it(place)
    git(place, "checkout", "--quiet", "main")
    git(place, "merge", "--quiet", "--no-ff", "--strategy=ours", "--message", "merge", "side")
    with pytest.raises(HistoryError, match="wanted the manifest released in"):
        check_history(place, "measurements")


def test_of_a_clone_that_was_cut_off_nothing_is_said(place: Path, tmp_path: Path) -> None:
    assert run(place, "--write") == 0
    release_it(place)
    manifest_of(place).unlink()
    commit(place, "taken away")
    clone = tmp_path / "clone"
    git(place, "clone", "--quiet", "--depth=1", f"file://{place}", str(clone))
    with pytest.raises(HistoryError, match="wanted the whole history, got a shallow clone"):
        check_history(clone, "measurements")


def test_without_a_history_nothing_is_said_of_it(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="git rev-parse: wanted the history"):
        check_history(tmp_path / "nowhere", "measurements")


@pytest.mark.slow
def test_this_repository_has_changed_no_released_manifest() -> None:
    check_history(CHECKOUT, "measurements")


def test_every_committed_manifest_reads_as_the_version_of_its_folder() -> None:
    for path in (CHECKOUT / "measurements").glob("*/manifest.json"):
        assert parse_manifest(path.read_bytes()).version == path.parent.name


def test_sev_snp_measure_gives_the_whole_table(place: Path) -> None:
    assert run(place, "--write") == 0
    snp = parse_manifest(manifest_of(place).read_bytes()).images.production.snp
    told = oracle.table(place / "release", ImageVariant.PRODUCTION, snp)
    assert told == [row.digests for row in snp.rows]
