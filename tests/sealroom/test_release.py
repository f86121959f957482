# SPDX-License-Identifier: Apache-2.0
"""The manifest of a release: one spelling, a closed schema, and what must hold inside it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.canonical import write_canonical
from attest.errors import FormatError
from attest.snp.launch.cpu import CPU_TYPES
from attest.snp.launch.digest import Launch, launch_digest
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from sealroom.release import MANIFEST_MAX_BYTES, Manifest, parse_manifest, write_manifest
from sealroom.release.folder import read_folder
from sealroom.release.layout import MANIFEST, image_paths, paths
from sealroom.release.manifest import VCPUS_PUBLISHED, ImageVariant, ShapedRtmr0
from tests.sealroom import released

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a release."""
    place = tmp_path_factory.mktemp("release")
    released.mint(place)
    return place


@pytest.fixture(scope="module")
def data(folder: Path) -> bytes:
    """Its manifest."""
    return (folder / MANIFEST).read_bytes()


def changed(data: bytes, change: Change) -> bytes:
    document = json.loads(data)
    change(document)
    return write_canonical(document)


def refused(data: bytes) -> str:
    """What is wrong with a manifest."""
    with pytest.raises(FormatError) as caught:
        parse_manifest(data)
    return str(caught.value)


def put(value: object, *path: str | int) -> Change:
    """A change of one value."""

    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


def drop(*path: str | int) -> Change:
    """A change that takes a field or an item away."""

    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


def test_a_manifest_reads_back_to_its_bytes(data: bytes) -> None:
    assert write_manifest(parse_manifest(data)) == data


def test_a_manifest_with_rtmr0_reads_back(data: bytes) -> None:
    manifest = parse_manifest(data)
    image = manifest.images.production
    shape = ShapedRtmr0(qemu="11.1.3", vcpus=4, memory_mib=4096, value=bytes([1]) * 48)
    tdx = replace(image.tdx, rtmr0=(shape,), rtmr0_open=None)
    images = replace(manifest.images, production=replace(image, tdx=tdx))
    shaped = replace(manifest, images=images)
    assert parse_manifest(write_manifest(shaped)) == shaped


def test_every_row_is_what_a_launch_of_that_guest_measures(folder: Path, data: bytes) -> None:
    parts = read_folder(folder, released.nothing).parts(ImageVariant.TEST)
    rows = parse_manifest(data).images.test.snp.rows
    assert {name for row in rows for name in row.cpus} == CPU_TYPES.keys()
    for row in rows:
        for vcpus in (1, 2, VCPUS_PUBLISHED):
            launch = Launch(
                firmware=read_firmware(parts.snp_firmware),
                boot=hash_boot(parts.kernel, parts.initrd, parts.cmdline),
                vmm=Vmm.QEMU,
                vcpus=vcpus,
                cpu=CPU_TYPES[row.cpus[-1]],
                features=row.features,
            )
            assert row.digests[vcpus - 1] == launch_digest(launch)


def test_variants_measure_as_different_images(data: bytes) -> None:
    images = parse_manifest(data).images
    told = [images.of(variant) for variant in ImageVariant]
    digests = [row.digests for image in told for row in image.snp.rows]
    assert len({digest for row in digests for digest in row}) == 3 * 10 * VCPUS_PUBLISHED
    assert len({image.tdx.rtmr2 for image in told}) == 3


def test_the_layout_has_each_file_once(data: bytes) -> None:
    manifest = parse_manifest(data)
    assert len(paths(manifest)) == 4 + 3 * len(ImageVariant)
    for variant in ImageVariant:
        assert set(image_paths(variant).values()) <= paths(manifest).keys()


def test_another_spelling_is_refused(data: bytes) -> None:
    assert "not canonical" in refused(data + b"\n")
    assert "not canonical" in refused(json.dumps(json.loads(data), indent=1).encode())


def test_a_manifest_has_a_limit() -> None:
    assert f"at most {MANIFEST_MAX_BYTES}" in refused(b" " * (MANIFEST_MAX_BYTES + 1))


ZERO = "00" * 32
SNP = ("images", "production", "snp")
TDX = ("images", "production", "tdx")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("sealroom-release/2", "format"), "wanted sealroom-release/1"),
        (put("final", "status"), "wanted draft or released"),
        (put("2026-11-22", "built"), "unknown 'built'"),
        (drop("prompts"), "missing prompts"),
        (put("1.2", "version"), "version is not three numbers"),
        (put("1.02.3", "version"), "version is not three numbers"),
        (put([], "locks"), "locks are not sorted by name, or there are none"),
        (put("../rootfs.json", "locks", 0, "name"), "name is not one of a lock"),
        (put(0, "model", "size"), "wanted 1 to"),
        (put(ZERO, "model", "sha256"), "the command line of production does not name the model"),
        (put("quiet", "images", "test", "cmdline"), "the command line is not the file's content"),
        (
            put("Sealroom 1.2.3", "images", "research", "product"),
            "the product of research is named like another variant",
        ),
        (
            put("Sealroom 1.2.4", "images", "production", "product"),
            "the product of production is named like another variant",
        ),
        (drop("images", "test"), "missing test"),
        (put("ec3", *SNP, "vmm"), "vmm: wanted"),
        (put([], *SNP, "rows"), "rows are not sorted"),
        (put(0x800F13, *SNP, "rows", 0, "signature"), "rows are not sorted"),
        (drop(*SNP, "rows", 0, "digests", 63), "wanted CPU models and 64 digests"),
        (put([], *SNP, "rows", 0, "cpus"), "wanted CPU models and 64 digests"),
        (put(None, *TDX, "rtmr0_open"), "wanted rtmr0 or why it is open, and not both"),
        (put([], *TDX, "rtmr0"), "wanted rtmr0 or why it is open, and not both"),
        (put("01" + "00" * 47, *TDX, "rtmr3"), "rtmr3 is not zero"),
        (put(["debug"], "minimum", "snp", "guest_allows"), "wanted smt or cxl"),
        (put(["UpToDate", "UpToDate"], "minimum", "tdx", "statuses"), "an item stands twice"),
    ],
)
def test_what_is_not_a_manifest_is_refused(data: bytes, change: Change, problem: str) -> None:
    assert problem in refused(changed(data, change))


def test_rows_of_one_launch_stand_once(data: bytes) -> None:
    def twice(document: Any) -> None:
        rows = document["images"]["test"]["snp"]["rows"]
        rows.insert(0, rows[0])

    assert "rows are not sorted" in refused(changed(data, twice))


def test_what_cannot_be_read_is_not_written(data: bytes) -> None:
    manifest = parse_manifest(data)
    with pytest.raises(ValueError, match="wanted 1 to 64 characters"):
        write_manifest(_with_product(manifest, "x" * 60 + " 1.2.3"))


def _with_product(manifest: Manifest, product: str) -> Manifest:
    image = replace(manifest.images.production, product=product)
    return replace(manifest, images=replace(manifest.images, production=image))


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_as_malformed(junk: bytes) -> None:
    with pytest.raises(FormatError):
        parse_manifest(junk)


@settings(max_examples=25)  # a manifest is long, and written and read anew for each
@given(st.data())
def test_any_changed_value_gives_a_manifest_or_a_format_error(
    data: bytes, draw: st.DataObject
) -> None:
    document = json.loads(data)
    place, name = document, draw.draw(st.sampled_from(sorted(document)))
    while isinstance(place[name], dict):
        place, name = place[name], draw.draw(st.sampled_from(sorted(place[name])))
    junk = st.none() | st.booleans() | st.integers(-9, 2**53 - 1) | st.text(max_size=9)
    place[name] = draw.draw(junk | st.lists(junk, max_size=3))
    try:
        manifest = parse_manifest(write_canonical(document))
    except FormatError:
        return
    assert write_manifest(manifest) == write_canonical(document)
