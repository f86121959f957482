# SPDX-License-Identifier: Apache-2.0
"""`sev-snp-measure` over a whole published table: every row and every number of vCPUs.

The tool's own steps are taken once for a row, and its digest is read after each vCPU; that those
are what its one function gives is checked at both ends of each row.
"""

from __future__ import annotations

from pathlib import Path

from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.gctx import GCTX
from sevsnpmeasure.ovmf import OVMF
from sevsnpmeasure.sev_hashes import SevHashes
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmm_types import VMMType
from sevsnpmeasure.vmsa import VMSA

from sealroom.release.layout import image_paths
from sealroom.release.manifest import ImageVariant, Snp

MODE = SevMode.SEV_SNP


def table(folder: Path, variant: ImageVariant, published: Snp) -> list[tuple[bytes, ...]]:
    """What the tool says in the place of each published row."""
    paths = {name: str(folder / path) for name, path in image_paths(variant).items()}
    files = (paths["kernel"], paths["initrd"], Path(paths["cmdline"]).read_text("ascii"))
    firmware = OVMF(paths["snp_firmware"])
    pages = GCTX()
    pages.update_normal_pages(firmware.gpa(), firmware.data())
    hashes = SevHashes(*files)
    rows = []
    for row in published.rows:
        cpu = vcpu_types.CPU_SIGS[row.cpus[0]]
        context = GCTX(seed=pages.ld())
        guest.snp_update_metadata_pages(context, firmware, hashes, VMMType.QEMU)
        vmsa = VMSA(MODE, firmware.sev_es_reset_eip(), cpu, row.features, VMMType.QEMU)
        digests = []
        for page in vmsa.pages(len(row.digests)):
            context.update_vmsa_page(page)
            digests.append(context.ld())
        for vcpus in (1, len(digests)):
            whole = guest.calc_launch_digest(
                MODE, vcpus, cpu, paths["snp_firmware"], *files, row.features, pages.ld().hex()
            )
            assert whole == digests[vcpus - 1]
        rows.append(tuple(digests))
    return rows
