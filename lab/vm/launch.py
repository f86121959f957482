# SPDX-License-Identifier: Apache-2.0
"""What real hardware would say of a machine's launch, for the mock to say it.

Nothing measures an emulated machine. So the mock is told the values that follow from the very files
that the machine is started with, by the functions that the release's manifest is made with; for a
release as it is, these are the published ones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from attest.snp.launch.cpu import cpu_signature
from attest.statement import Platform
from lab.documents import GuestPlan
from lab.mocktsm.tdx_quote import MOCK_RTMRS
from lab.vm.errors import VmError
from lab.vm.plan import PROCESSORS
from lab.vm.release import RELEASE, Image
from sealroom.release.layout import SNP_FIRMWARE, TDX_FIRMWARE
from sealroom.release.measured import (
    LOAD_OPTIONS,
    Parts,
    snp_digests,
    snp_launch,
    tdx_registers,
)

CPU: Final = "EPYC-v4"
FEATURES: Final = 0x1  # SNP and nothing besides


def measured(plan: GuestPlan, image: Image, folder: Path = RELEASE) -> GuestPlan:
    """The plan with what a launch of this image measures as, unless it says that already.

    RTMR0 depends on the host and is not computed (`sealroom.release.measured.RTMR0_OPEN`).

    Raises:
        VmError: the firmware has not been built.
    """
    if plan.measurement is not None:
        return plan
    parts = _parts(image, folder)
    if plan.platform is Platform.SEV_SNP:
        digests = snp_digests(snp_launch(parts), cpu_signature(CPU), FEATURES)
        return replace(plan, measurement=digests[PROCESSORS - 1])
    values = tdx_registers(parts, LOAD_OPTIONS)
    rtmrs = (MOCK_RTMRS[0], *(values[name] for name in ("rtmr1", "rtmr2", "rtmr3")))
    return replace(plan, measurement=values["mrtd_single_pass"], rtmrs=rtmrs)


def _parts(image: Image, folder: Path) -> Parts:
    firmware = [folder / name for name in (SNP_FIRMWARE, TDX_FIRMWARE)]
    for path in firmware:
        if not path.is_file():
            raise VmError("image", f"{path.name} of `make image`", "no such file")
    return Parts(
        snp_firmware=firmware[0].read_bytes(),
        tdx_firmware=firmware[1].read_bytes(),
        kernel=image.kernel.read_bytes(),
        initrd=image.initrd.read_bytes(),
        cmdline=image.cmdline,
    )
