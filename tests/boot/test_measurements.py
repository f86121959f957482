# SPDX-License-Identifier: Apache-2.0
"""The committed manifest against the image that was built, by implementations of others."""

import json
from pathlib import Path

import pytest

from image import measure, overlay
from lab.vm.release import RELEASE
from sealroom.cli import main
from sealroom.release.folder import Folder, read_folder
from sealroom.release.layout import TDX_FIRMWARE
from sealroom.release.manifest import ImageVariant, Manifest, parse_manifest
from tests.image import mrtd_by_search, oracle

pytestmark = pytest.mark.boot

Capture = pytest.CaptureFixture[str]
MRTD = Path(__file__).parents[1] / "vectors" / "launch" / "mrtd.json"
COMMITTED = measure.MEASUREMENTS / overlay.version() / "manifest.json"


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return parse_manifest(COMMITTED.read_bytes())


@pytest.fixture(scope="module")
def folder() -> Folder:
    return read_folder(RELEASE, lambda path, done, size: None)


def test_the_build_is_what_the_manifest_says(capsys: Capture) -> None:
    assert main(["release", "verify", str(RELEASE), "--manifest", str(COMMITTED)]) == 0
    assert "measure as published" in capsys.readouterr().out


@pytest.mark.parametrize("variant", ImageVariant)
def test_sev_snp_measure_gives_the_whole_table(variant: ImageVariant, manifest: Manifest) -> None:
    snp = manifest.images.of(variant).snp
    assert oracle.table(RELEASE, variant, snp) == [row.digests for row in snp.rows]


@pytest.mark.parametrize("variant", ImageVariant)
def test_mrtd_by_another_route_is_the_published_one(
    variant: ImageVariant, manifest: Manifest, folder: Folder
) -> None:
    image = folder.kept[TDX_FIRMWARE]
    tdx = manifest.images.of(variant).tdx
    assert mrtd_by_search.mrtd(image, two_pass=False) == tdx.mrtd_single_pass
    assert mrtd_by_search.mrtd(image, two_pass=True) == tdx.mrtd_two_pass


def test_mrtd_is_what_igvm_says(manifest: Manifest) -> None:
    told = json.loads(MRTD.read_text(encoding="utf-8"))["ovmf_tdx"]
    assert manifest.firmware.tdx.sha256.hex() == told["sha256"]
    assert manifest.images.production.tdx.mrtd_single_pass.hex() == told["mrtd"]


@pytest.mark.parametrize("variant", [ImageVariant.RESEARCH, ImageVariant.TEST])
def test_the_other_variants_are_the_production_image_and_more(
    variant: ImageVariant, manifest: Manifest, folder: Folder
) -> None:
    production, other = (folder.parts(v) for v in (ImageVariant.PRODUCTION, variant))
    assert other.initrd.startswith(production.initrd)
    said = overlay.published_json(overlay.Variant(variant), other.cmdline)
    assert said in other.initrd[len(production.initrd) :]
    assert json.loads(said)["product"] == manifest.images.of(variant).product
