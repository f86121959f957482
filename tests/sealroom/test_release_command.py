# SPDX-License-Identifier: Apache-2.0
"""`sealroom release verify` and `sealroom policy init --release`: what is printed of a download."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attest.policy import Policy
from attest.tdx.gaps import tdx_gaps
from attest.tdx.policy import TdxPolicy
from sealroom.cli import main
from sealroom.cli_release import NOT_CHECKED
from sealroom.errors import TrustFileError
from sealroom.policy_file import load_policy
from sealroom.release import folder as folder_module
from sealroom.release.layout import MANIFEST
from sealroom.release.manifest import (
    File,
    Firmware,
    ImageVariant,
    Manifest,
    ShapedRtmr0,
    Tdx,
    write_manifest,
)

pytestmark = pytest.mark.usefixtures("manifest")

Capture = pytest.CaptureFixture[str]
DIFFERENT = 30
NOT_VOUCHED = 40
UNREADABLE = 65


def run(capsys: Capture, *words: str, code: int = NOT_VOUCHED) -> str:
    """What the command prints; as long as nobody is named who vouches, nobody does."""
    assert main(["release", "verify", "release", *words]) == code
    return capsys.readouterr().out


def told(capsys: Capture, code: int = NOT_VOUCHED, *words: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(run(capsys, "--json", *words, code=code))
    return read


@pytest.fixture
def mine(manifest: Manifest) -> str:
    """A copy of the manifest that one has from elsewhere."""
    Path("mine.json").write_bytes(write_manifest(manifest))
    return "mine.json"


def failed(capsys: Capture, *words: str) -> str:
    """What the command says of a folder that it cannot judge."""
    assert main(["release", "verify", "release", *words]) == UNREADABLE
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.strip()


def what(capsys: Capture) -> list[str]:
    """What differs."""
    return [item["what"] for item in told(capsys, DIFFERENT)["differences"]]


def test_the_published_release_is_found_to_be_it(
    manifest: Manifest, mine: str, capsys: Capture
) -> None:
    lines = run(capsys, "--manifest", mine, code=0).splitlines()
    assert lines[0] == "release 1.2.3 (draft)"
    assert lines[-1] == "the files are the published ones, and measure as published"
    assert sum("measured again; 640 launch digests" in line for line in lines) == 3
    assert f"  {'production/vmlinuz':20} {1152:>11}  " in "\n".join(lines)
    assert manifest.model.sha256.hex() in "\n".join(lines)


def test_what_is_not_checked_is_said(capsys: Capture) -> None:
    text = run(capsys)
    assert all(f"  {name}: {why}" in text for name, why in NOT_CHECKED)
    assert told(capsys)["not_checked"] == dict(NOT_CHECKED)


def test_data_are_one_object(mine: str, capsys: Capture) -> None:
    read = told(capsys, 0, "--manifest", mine)
    assert (read["version"], read["status"], read["as_published"]) == ("1.2.3", "draft", True)
    assert read["measured"] == ["production", "research", "test"]
    assert len(read["files"]) == 13
    assert read["differences"] == []


@pytest.mark.parametrize(
    "path", ["production/vmlinuz", "research/initrd", "test/cmdline", "model.gguf"]
)
def test_one_byte_of_a_file_is_enough(path: str, capsys: Capture) -> None:
    data = bytearray((Path("release") / path).read_bytes())
    data[-1] ^= 1
    (Path("release") / path).write_bytes(data)
    assert what(capsys) == [path]
    assert "this is NOT the published release" in run(capsys, code=DIFFERENT)


def test_an_image_with_other_files_is_not_measured(capsys: Capture) -> None:
    Path("release/test/initrd").write_bytes(b"another")
    assert told(capsys, DIFFERENT)["measured"] == ["production", "research"]
    text = run(capsys, code=DIFFERENT)
    assert "test: not measured, since its files are not the published ones" in text


def test_other_firmware_leaves_nothing_to_measure(capsys: Capture) -> None:
    Path("release/ovmf-tdx.fd").write_bytes(b"another")
    assert told(capsys, DIFFERENT)["measured"] == []


def test_a_file_that_is_missing_or_foreign_is_told(capsys: Capture) -> None:
    Path("release/model.gguf").unlink()
    Path("release/production/module.ko").write_bytes(b"x")
    differences = told(capsys, DIFFERENT)["differences"]
    assert differences[0]["got"] == differences[1]["wanted"] == "no file there"
    assert [item["what"] for item in differences] == ["model.gguf", "production/module.ko"]


def test_a_digest_that_does_not_follow_from_the_files_is_told(
    manifest: Manifest, capsys: Capture
) -> None:
    image = manifest.images.research
    row = image.snp.rows[3]
    wrong = replace(row, digests=(*row.digests[:6], bytes(48), *row.digests[7:]))
    rows = (*image.snp.rows[:3], wrong, *image.snp.rows[4:])
    forged = replace(image, snp=replace(image.snp, rows=rows))
    images = replace(manifest.images, research=forged)
    Path("release", MANIFEST).write_bytes(write_manifest(replace(manifest, images=images)))
    (difference,) = told(capsys, DIFFERENT)["differences"]
    assert difference["what"] == "images.research.snp.0x830f10.0x21, 7 vCPUs"
    assert difference["got"] == row.digests[6].hex()


@pytest.mark.parametrize("name", ["mrtd_single_pass", "mrtd_two_pass", "rtmr1", "rtmr2"])
def test_a_register_that_does_not_follow_from_the_files_is_told(
    name: str, manifest: Manifest, capsys: Capture
) -> None:
    image = manifest.images.test
    tdx = _with_register(image.tdx, name)
    images = replace(manifest.images, test=replace(image, tdx=tdx))
    Path("release", MANIFEST).write_bytes(write_manifest(replace(manifest, images=images)))
    assert what(capsys) == [f"images.test.tdx.{name}"]


def _with_register(tdx: Tdx, name: str) -> Tdx:
    """The registers with zeros in one of them."""
    values: dict[str, Any] = {name: bytes(48)}
    return replace(tdx, **values)


def test_firmware_that_cannot_be_measured_is_told(manifest: Manifest, capsys: Capture) -> None:
    data = b"no firmware"
    file = File(size=len(data), sha256=hashlib.sha256(data).digest())
    for name in ("ovmf-amdsev.fd", "ovmf-tdx.fd"):
        Path("release", name).write_bytes(data)
    both = replace(manifest, firmware=Firmware(snp=file, tdx=file))
    Path("release", MANIFEST).write_bytes(write_manifest(both))
    images = [f"images.{variant}.{name}" for variant in ImageVariant for name in ("snp", "tdx")]
    assert what(capsys) == images


def test_a_cpu_model_stands_at_its_signature(manifest: Manifest, capsys: Capture) -> None:
    image = manifest.images.production
    row = replace(image.snp.rows[0], cpus=("EPYC-Milan", "EPYC-Verona"))
    snp = replace(image.snp, rows=(row, *image.snp.rows[1:]))
    images = replace(manifest.images, production=replace(image, snp=snp))
    Path("release", MANIFEST).write_bytes(write_manifest(replace(manifest, images=images)))
    got = [item["got"] for item in told(capsys, DIFFERENT)["differences"]]
    assert got == ["EPYC-Milan", "EPYC-Verona"]


def test_features_that_are_not_modelled_are_told(manifest: Manifest, capsys: Capture) -> None:
    image = manifest.images.production
    row = replace(image.snp.rows[0], features=3)
    snp = replace(image.snp, rows=(row, image.snp.rows[1], *image.snp.rows[2:]))
    images = replace(manifest.images, production=replace(image, snp=snp))
    Path("release", MANIFEST).write_bytes(write_manifest(replace(manifest, images=images)))
    (difference,) = told(capsys, DIFFERENT)["differences"]
    assert difference["wanted"] == "files that can be measured"
    assert "0x2 are not modelled" in difference["got"]


def test_a_manifest_from_elsewhere_is_compared_with_the_one_there(
    manifest: Manifest, mine: str, capsys: Capture
) -> None:
    other = write_manifest(replace(manifest, prompts=bytes(32)))
    Path("release", MANIFEST).write_bytes(other)
    text = run(capsys, "--manifest", mine, code=DIFFERENT)
    assert f"1 difference:\n  {MANIFEST}: wanted SHA-256 " in text
    Path("release", MANIFEST).unlink()
    assert "measure as published" in run(capsys, "--manifest", mine, code=0)


def test_what_is_no_manifest_is_refused_by_name(capsys: Capture) -> None:
    Path("release", MANIFEST).write_bytes(b"{}")
    said = failed(capsys)
    assert said.startswith("sealroom: release/manifest.json: wanted a manifest of a release, got ")
    Path("release", MANIFEST).unlink()
    assert "No such file" in failed(capsys)


def test_a_link_is_no_file_of_a_release(capsys: Capture) -> None:
    Path("release/link").symlink_to("model.gguf")
    assert failed(capsys) == "sealroom: link: wanted a regular file, got another kind"


def test_an_empty_file_is_none(capsys: Capture) -> None:
    Path("release/test/initrd").write_bytes(b"")
    assert failed(capsys) == "sealroom: test/initrd: wanted a file with content, got an empty one"


def test_what_is_measured_is_not_too_large(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "KEPT_MAX_BYTES", 100)
    assert failed(capsys) == "sealroom: ovmf-amdsev.fd: wanted at most 100 bytes, got more"


def test_there_are_not_too_many_files(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "FILES_MAX", 12)
    assert failed(capsys) == "sealroom: release: wanted at most 12 files, got more"


def test_a_terminal_sees_how_far_it_is(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(folder_module, "CHUNK_BYTES", 10)
    assert main(["release", "verify", "release"]) == NOT_VOUCHED
    shown = capsys.readouterr().err
    assert "\r\x1b[Khashing model.gguf: 0 of 0 MiB" in shown
    assert shown.endswith("\r\x1b[K")


def draft(*words: str) -> Path:
    """A policy that `policy init --release` writes."""
    manifest = str(Path("release", MANIFEST))
    command = ["policy", "init", "--release", manifest, *words, "--output", "policy.yaml"]
    assert main(command) == 0
    return Path("policy.yaml")


def filled_in(text: str) -> str:
    """The text with what only a user knows."""
    text = text.replace("configurations: []", f"configurations: [{'ab' * 32}]")
    return text.replace("chips: []", f"chips: [{'cd' * 64}]").replace(
        "ppids: []", f"ppids: [{'ef' * 16}]"
    )


def test_a_policy_pins_the_published_measurements(manifest: Manifest) -> None:
    path = draft()
    path.write_text(filled_in(path.read_text(encoding="utf-8")), encoding="utf-8")
    policy = load_policy(str(path))
    assert isinstance(policy, Policy)
    assert policy.snp is not None
    rows = manifest.images.production.snp.rows
    assert policy.snp.measurements == {digest for row in rows for digest in row.digests}
    assert policy.statement.models == {manifest.model.sha256}
    assert policy.statement.prompts == {manifest.prompts}
    assert path.read_text(encoding="utf-8").startswith("# A strict policy for a published release")


def test_a_policy_may_take_one_size_of_guest(manifest: Manifest) -> None:
    path = draft("--vcpus", "4", "--line", "Genoa")
    path.write_text(filled_in(path.read_text(encoding="utf-8")), encoding="utf-8")
    policy = load_policy(str(path))
    assert isinstance(policy, Policy)
    assert policy.snp is not None
    rows = manifest.images.production.snp.rows
    assert policy.snp.measurements == {row.digests[3] for row in rows}


def test_a_policy_for_tdx_leaves_rtmr0_as_open_as_the_release(manifest: Manifest) -> None:
    path = draft("--tdx")
    path.write_text(filled_in(path.read_text(encoding="utf-8")), encoding="utf-8")
    policy = load_policy(str(path))
    assert isinstance(policy, Policy)
    assert isinstance(policy.tdx, TdxPolicy)
    tdx = manifest.images.production.tdx
    assert [image.mrtd for image in policy.tdx.images] == [tdx.mrtd_single_pass, tdx.mrtd_two_pass]
    assert {image.rtmrs for image in policy.tdx.images} == {(None, tdx.rtmr1, tdx.rtmr2, bytes(48))}
    assert [gap.rule for gap in tdx_gaps(policy.tdx)] == ["tdx-rtmr0"]


def test_a_policy_pins_each_rtmr0_that_is_published(manifest: Manifest) -> None:
    values = [bytes([number]) * 48 for number in (1, 2)]
    shapes = tuple(ShapedRtmr0(qemu="11.1.3", vcpus=4, memory_mib=8, value=v) for v in values)
    image = manifest.images.production
    tdx = replace(image.tdx, rtmr0=shapes, rtmr0_open=None)
    images = replace(manifest.images, production=replace(image, tdx=tdx))
    Path("release", MANIFEST).write_bytes(write_manifest(replace(manifest, images=images)))
    path = draft("--tdx")
    path.write_text(filled_in(path.read_text(encoding="utf-8")), encoding="utf-8")
    policy = load_policy(str(path))
    assert isinstance(policy, Policy)
    assert isinstance(policy.tdx, TdxPolicy)
    assert [image.rtmr0 for image in policy.tdx.images] == values * 2


def test_a_draft_is_refused_until_it_is_filled_in() -> None:
    with pytest.raises(TrustFileError, match="chips is empty"):
        load_policy(str(draft()))


def test_a_size_that_is_not_published_is_refused(capsys: Capture) -> None:
    command = ["policy", "init", "--release", "release/manifest.json", "--vcpus", "65"]
    assert main(command) == UNREADABLE
    assert "--vcpus: wanted at most 64, as published, got 65" in capsys.readouterr().err


def test_a_size_goes_with_a_release(capsys: Capture) -> None:
    assert main(["policy", "init", "--vcpus", "4"]) == 1
    assert "wanted one of" in capsys.readouterr().err
