# SPDX-License-Identifier: Apache-2.0
"""The registers of a guest that boots a kernel directly: MRTD, RTMR1 and RTMR2.

RTMR0 depends on the guest's shape (`attest.tdx.launch.boot_variables`) and is not foreseen here;
RTMR3 stays zero in a guest that extends nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from attest.cmdline import Cmdline, check_cmdline
from attest.errors import UnsupportedError
from attest.scalars import Hex
from attest.tdx.launch.authenticode import authenticode, is_unified
from attest.tdx.launch.events import (
    REGISTER_BYTES,
    LoadOptions,
    load_options,
    replay,
    rtmr1_events,
    rtmr2_events,
)
from attest.tdx.launch.mrtd import PageOrder, mrtd
from attest.tdx.launch.tdvf import parse_tdvf

Sha384 = Annotated[bytes, Hex(48)]


class Register(StrEnum):
    """The registers of a TD report that tell how the guest was launched."""

    MRTD = "mrtd"
    RTMR0 = "rtmr0"
    RTMR1 = "rtmr1"
    RTMR2 = "rtmr2"
    RTMR3 = "rtmr3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """All of a TDVF image that goes into MRTD.

    Attributes:
        sha256: of the file; it names the build. The variables in it are not part of MRTD.
        single_pass: MRTD when each page is added and extended at once.
        two_pass: MRTD when a section's pages are all added before they are extended.
    """

    sha256: Annotated[bytes, Hex(32)]
    single_pass: Sha384
    two_pass: Sha384


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything that the three registers are made of.

    Attributes:
        firmware: of the guest.
        order: in which the VMM adds its pages.
        kernel: Authenticode SHA-384 of the file.
        initrd: its SHA-384.
        cmdline: the command line that QEMU hands over.
        load_options: what the firmware makes of it.
    """

    firmware: Firmware
    order: PageOrder
    kernel: Sha384
    initrd: Sha384
    cmdline: Annotated[str, Cmdline()]
    load_options: LoadOptions

    def __post_init__(self) -> None:
        check_cmdline(self.cmdline)
        load_options(self.cmdline, self.load_options)


def read_firmware(image: bytes) -> Firmware:
    """What a launch measures of the whole firmware image.

    Raises:
        FormatError: see `attest.tdx.launch.tdvf.parse_tdvf`.
    """
    sections = parse_tdvf(image)
    return Firmware(
        sha256=hashlib.sha256(image).digest(),
        single_pass=mrtd(sections, PageOrder.BY_PAGE),
        two_pass=mrtd(sections, PageOrder.BY_SECTION),
    )


def plan_launch(
    firmware: bytes,
    kernel: bytes,
    initrd: bytes,
    cmdline: str,
    *,
    order: PageOrder,
    load_options: LoadOptions,
) -> Launch:
    """A launch from its artefacts, all of them whole files.

    Raises:
        FormatError: one of them is malformed.
        UnsupportedError: one of them is not modelled.
    """
    if is_unified(kernel):
        raise UnsupportedError("kernel", None, "a unified kernel image is not modelled")
    return Launch(
        firmware=read_firmware(firmware),
        order=order,
        kernel=authenticode(kernel),
        initrd=hashlib.sha384(initrd).digest(),
        cmdline=cmdline,
        load_options=load_options,
    )


def registers(launch: Launch) -> dict[Register, bytes]:
    """The registers that can be foreseen."""
    firmware = launch.firmware
    by_order = {
        PageOrder.BY_PAGE: firmware.single_pass,
        PageOrder.BY_SECTION: firmware.two_pass,
    }
    stub = rtmr2_events(launch.cmdline, launch.load_options, launch.initrd)
    return {
        Register.MRTD: by_order[launch.order],
        Register.RTMR1: replay(rtmr1_events(launch.kernel)),
        Register.RTMR2: replay(stub),
        Register.RTMR3: bytes(REGISTER_BYTES),
    }
