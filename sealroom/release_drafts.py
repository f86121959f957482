# SPDX-License-Identifier: Apache-2.0
"""A strict draft of a policy with what a release's manifest knows: measurements and digests.

What only its user knows stays empty, and so such a draft is refused by name until it is filled in:
the machines that are trusted and the operator's configuration. RTMR0 is open where the release
leaves it open. Only the production image is ever filled in.
"""

from __future__ import annotations

from typing import Any

from sealroom.errors import InputError
from sealroom.release.manifest import VCPUS_PUBLISHED, Manifest, Snp, Tdx

Document = dict[str, Any]


def fill_in(strict: Document, manifest: Manifest, vcpus: int | None) -> Document:
    """The draft with the release's values.

    Args:
        strict: what `sealroom.policy_drafts.strict` gives; it is not changed.
        manifest: of the release.
        vcpus: the one size of guest to accept on SEV-SNP; None for every published one.

    Raises:
        InputError: no such size is published.
    """
    image = manifest.images.production
    document = dict(strict)
    if strict["snp"] != "none":
        document["snp"] = strict["snp"] | {"measurements": _digests(image.snp, vcpus)}
    if strict["tdx"] != "none":
        document["tdx"] = strict["tdx"] | {"images": _images(image.tdx)}
    digests = {"models": [manifest.model.sha256.hex()], "prompts": [manifest.prompts.hex()]}
    document["statement"] = strict["statement"] | digests
    return document


def _digests(snp: Snp, vcpus: int | None) -> list[str]:
    if vcpus is not None and vcpus > VCPUS_PUBLISHED:
        raise InputError("--vcpus", f"at most {VCPUS_PUBLISHED}, as published", str(vcpus))
    chosen = slice(None) if vcpus is None else slice(vcpus - 1, vcpus)
    return [digest.hex() for row in snp.rows for digest in row.digests[chosen]]


def _images(tdx: Tdx) -> list[Document]:
    """One for each order of pages and each RTMR0."""
    shapes = ["none"] if tdx.rtmr0 is None else [shape.value.hex() for shape in tdx.rtmr0]
    rest = {name: getattr(tdx, name).hex() for name in ("rtmr1", "rtmr2", "rtmr3")}
    return [
        {"mrtd": mrtd.hex(), "rtmr0": rtmr0, **rest}
        for mrtd in (tdx.mrtd_single_pass, tdx.mrtd_two_pass)
        for rtmr0 in shapes
    ]
