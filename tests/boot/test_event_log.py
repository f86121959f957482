# SPDX-License-Identifier: Apache-2.0
"""RTMR1 and RTMR2 are what a TPM is told when stock OVMF boots the very same files.

TDVF measures with the same code of edk2 into RTMRs as OVMF into a TPM: PCRs 2 to 6 are RTMR1, 8 to
15 are RTMR2 (Intel TDX Virtual Firmware Design Guide). The TPM's own log of its commands is
compared, from the first measurement to the firmware's last; the guest need not come any further.
"""

from __future__ import annotations

import hashlib
import time
from itertools import groupby

import pytest

from attest.tdx.launch.authenticode import authenticode
from attest.tdx.launch.events import SEPARATOR, Event, replay, rtmr1_events, rtmr2_events
from lab.vm.machine import Machine
from lab.vm.plan import MachinePlan
from lab.vm.release import Image, load_image
from lab.vm.tools import load_tools
from sealroom.release.manifest import ImageVariant
from sealroom.release.measured import LOAD_OPTIONS
from tests.boot import swtpm
from tests.boot.house import SMALL_MIB

pytestmark = [pytest.mark.boot, pytest.mark.timeout(400)]

MEASURED_MAX_S = 300.0
RTMR1_PCRS = range(2, 7)
RTMR2_PCRS = range(8, 16)


def measured(image: Image) -> list[swtpm.Extension]:
    """What a TPM is told of this image until the firmware has handed over to the kernel."""
    tools = load_tools()
    last = rtmr1_events(b"")[-1].digest
    with swtpm.run(tools) as tpm:
        plan = MachinePlan(
            kernel=image.kernel,
            initrd=image.initrd,
            cmdline=image.cmdline,
            firmware=tools.firmware("ovmf"),
            memory_mib=SMALL_MIB,
            processors=1,
            vsock=False,
            extra=tpm.arguments,
        )
        with Machine(plan, tools) as machine:
            until = time.monotonic() + MEASURED_MAX_S
            while True:
                told = tpm.extensions()
                digests = [item.digest for item in told]
                if last in digests:
                    return told[: digests.index(last) + 1]
                assert machine.is_on and time.monotonic() < until, f"only {len(told)} events"
                time.sleep(0.5)


def register(told: list[swtpm.Extension], pcrs: range) -> list[bytes]:
    """What these PCRs were extended by, in order of time.

    A TPM has a separator for each register, one behind the other; an RTMR has one.
    """
    digests = [item.digest for item in told if item.pcr in pcrs]
    return [
        digest
        for digest, same in groupby(digests)
        for _ in ([1] if digest == SEPARATOR.digest else same)
    ]


@pytest.mark.parametrize("variant", ImageVariant)
def test_rtmr1_and_rtmr2_are_what_a_tpm_was_told(variant: ImageVariant) -> None:
    image = load_image(variant)
    boot = rtmr1_events(authenticode(image.kernel.read_bytes()))
    initrd = hashlib.sha384(image.initrd.read_bytes()).digest()
    stub = rtmr2_events(image.cmdline, LOAD_OPTIONS, initrd)
    told = measured(image)
    assert register(told, RTMR1_PCRS) == [event.digest for event in boot]
    assert register(told, RTMR2_PCRS) == [event.digest for event in stub]
    assert replay(Event("", digest) for digest in register(told, RTMR1_PCRS)) == replay(boot)
