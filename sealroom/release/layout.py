# SPDX-License-Identifier: Apache-2.0
"""Where the files of a release lie in its folder: `VARIANT/vmlinuz`, `ovmf-tdx.fd`, and so on.

The manifest has no paths, so that nothing in it can lead out of the folder.
"""

from __future__ import annotations

from typing import Final

from sealroom.release.manifest import File, ImageVariant, Manifest

MANIFEST: Final = "manifest.json"
PROOF: Final = "manifest.tlog-proof"  # that the manifest is in a log (C2SP tlog-proof)
LICENCES: Final = "licences.txt"
MODEL: Final = "model.gguf"
SNP_FIRMWARE: Final = "ovmf-amdsev.fd"
TDX_FIRMWARE: Final = "ovmf-tdx.fd"


def image_paths(variant: ImageVariant) -> dict[str, str]:
    """What this image is launched with: the path of each part."""
    return {
        "snp_firmware": SNP_FIRMWARE,
        "tdx_firmware": TDX_FIRMWARE,
        "kernel": f"{variant}/vmlinuz",
        "initrd": f"{variant}/initrd",
        "cmdline": f"{variant}/cmdline",
    }


def paths(manifest: Manifest) -> dict[str, File]:
    """Every file of the release but the manifest itself, by its path."""
    found = {
        SNP_FIRMWARE: manifest.firmware.snp,
        TDX_FIRMWARE: manifest.firmware.tdx,
        LICENCES: manifest.licences,
        MODEL: manifest.model,
    }
    for variant in ImageVariant:
        places, files = image_paths(variant), manifest.images.of(variant).files
        found |= {
            places["kernel"]: files.vmlinuz,
            places["initrd"]: files.initrd,
            places["cmdline"]: files.cmdline,
        }
    return found
