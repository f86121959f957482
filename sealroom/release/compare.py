# SPDX-License-Identifier: Apache-2.0
"""A downloaded release against its manifest: the files, and what they measure as.

Every difference is told, none stops the others. The values are computed for what the manifest
names (its CPU signatures, its form of the load options), so that later code, which knows more
processors, still finds an older release as it was published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from attest.errors import FormatError
from attest.snp.launch.cpu import CPU_TYPES
from sealroom.release.layout import image_paths, paths
from sealroom.release.manifest import File, ImageVariant, Manifest, Snp, SnpRow, Tdx
from sealroom.release.measured import Parts, snp_digests, snp_launch, tdx_registers

_MEASURABLE = "files that can be measured"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the manifest says; ``what`` is a file's path, or a field's."""

    what: str
    wanted: str
    got: str


def compare_files(manifest: Manifest, found: Mapping[str, File]) -> tuple[Difference, ...]:
    """Every file that is missing, is another one, or is not in the manifest.

    Args:
        manifest: of the release.
        found: all files of the download but the manifest and its proof, by their path in it.
    """
    wanted = paths(manifest)
    changed = [
        Difference(path, _text(file), _text(found.get(path)))
        for path, file in wanted.items()
        if found.get(path) != file
    ]
    foreign = sorted(found.keys() - wanted.keys())
    return (*changed, *(Difference(path, _text(None), _text(found[path])) for path in foreign))


def is_whole(manifest: Manifest, found: Mapping[str, File], variant: ImageVariant) -> bool:
    """Whether every file that this image is launched with is the published one."""
    wanted = paths(manifest)
    return all(found.get(path) == wanted[path] for path in image_paths(variant).values())


def compare_image(
    manifest: Manifest, variant: ImageVariant, parts: Parts
) -> tuple[Difference, ...]:
    """Every measurement of an image that does not follow from its files."""
    image = manifest.images.of(variant)
    snp = _compare_snp(image.snp, parts)
    tdx = _compare_tdx(image.tdx, parts)
    return tuple(
        Difference(f"images.{variant}.{item.what}", item.wanted, item.got) for item in (*snp, *tdx)
    )


def _compare_snp(published: Snp, parts: Parts) -> Iterator[Difference]:
    try:
        launch = snp_launch(parts)
    except FormatError as error:
        yield Difference("snp", _MEASURABLE, str(error))
        return
    for row in published.rows:
        where = f"snp.0x{row.signature:x}.0x{row.features:x}"
        for name in row.cpus:
            if CPU_TYPES.get(name) != row.signature:
                yield Difference(where, "CPU models with this signature", name)
        try:
            digests = snp_digests(launch, row.signature, row.features)
        except FormatError as error:
            yield Difference(where, _MEASURABLE, str(error))
            continue
        yield from _compare_row(where, row, digests)


def _compare_row(where: str, row: SnpRow, digests: tuple[bytes, ...]) -> Iterator[Difference]:
    pairs = enumerate(zip(row.digests, digests, strict=True), 1)
    for vcpus, (wanted, got) in pairs:
        if wanted != got:
            yield Difference(f"{where}, {vcpus} vCPUs", wanted.hex(), got.hex())


def _compare_tdx(published: Tdx, parts: Parts) -> Iterator[Difference]:
    try:
        registers = tdx_registers(parts, published.load_options)
    except FormatError as error:
        yield Difference("tdx", _MEASURABLE, str(error))
        return
    for name, got in registers.items():
        wanted: bytes = getattr(published, name)
        if wanted != got:
            yield Difference(f"tdx.{name}", wanted.hex(), got.hex())


def _text(file: File | None) -> str:
    return "no file there" if file is None else f"{file.size} bytes, SHA-256 {file.sha256.hex()}"
