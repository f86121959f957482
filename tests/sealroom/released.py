# SPDX-License-Identifier: Apache-2.0
"""A small release with its manifest, minted: everything in it can be measured, nothing runs."""

import hashlib
from pathlib import Path

from image.measure import make_minimum
from sealroom.release.folder import Folder, read_folder
from sealroom.release.layout import (
    LICENCES,
    MANIFEST,
    MODEL,
    SNP_FIRMWARE,
    TDX_FIRMWARE,
    image_paths,
)
from sealroom.release.manifest import (
    Artefacts,
    Firmware,
    Image,
    Images,
    ImageVariant,
    Lock,
    Manifest,
    Status,
    write_manifest,
)
from sealroom.release.measured import publish_snp, publish_tdx
from tests.attest import ovmf
from tests.attest.tdx.launch import pe

VERSION = "1.2.3"
PROMPTS = bytes(range(32))
WORDS = {
    ImageVariant.PRODUCTION: VERSION,
    ImageVariant.RESEARCH: "RESEARCH",
    ImageVariant.TEST: "TEST",
}


def nothing(path: str, done: int, size: int) -> None:
    """Nobody watches."""


def write_files(folder: Path) -> Folder:
    """The files of the release but its manifest."""
    model = b"GGUF and weights"
    (folder / SNP_FIRMWARE).write_bytes(ovmf.snp())
    (folder / TDX_FIRMWARE).write_bytes(ovmf.tdx())
    (folder / MODEL).write_bytes(model)
    (folder / LICENCES).write_bytes(b"Apache-2.0 and others\n")
    word = f"sealroom.model=sha256:{hashlib.sha256(model).hexdigest()}:{len(model)}"
    for variant in ImageVariant:
        (folder / variant).mkdir()
        cmdline = f"quiet variant={variant} {word}".encode("ascii")
        parts = {"kernel": pe.mint(), "initrd": variant.encode("ascii"), "cmdline": cmdline}
        for name, data in parts.items():
            (folder / image_paths(variant)[name]).write_bytes(data)
    return read_folder(folder, nothing)


def mint(folder: Path, status: Status = Status.DRAFT) -> Manifest:
    """A whole release in an empty folder."""
    read = write_files(folder)
    images = {}
    for variant in ImageVariant:
        parts, places = read.parts(variant), image_paths(variant)
        images[variant.value] = Image(
            product=f"Sealroom {VERSION} {WORDS[variant]}".replace(f"{VERSION} {VERSION}", VERSION),
            cmdline=parts.cmdline,
            files=Artefacts(
                vmlinuz=read.files[places["kernel"]],
                initrd=read.files[places["initrd"]],
                cmdline=read.files[places["cmdline"]],
            ),
            snp=publish_snp(parts),
            tdx=publish_tdx(parts),
        )
    manifest = Manifest(
        version=VERSION,
        status=status,
        locks=(Lock(name="rootfs.json", sha256=bytes(32)),),
        licences=read.files[LICENCES],
        model=read.files[MODEL],
        prompts=PROMPTS,
        firmware=Firmware(snp=read.files[SNP_FIRMWARE], tdx=read.files[TDX_FIRMWARE]),
        images=Images(**images),
        minimum=make_minimum(),
    )
    (folder / MANIFEST).write_bytes(write_manifest(manifest))
    return manifest
