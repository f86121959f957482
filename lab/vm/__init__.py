# SPDX-License-Identifier: Apache-2.0
"""Booting the image on this host, without hardware: qemu under TCG, vsock in user space.

The guest is the published bytes; only what stands around it is the lab's. Never an accelerator:
`/dev/kvm` may be there and not run a stock kernel, and a test that differs by host proves nothing.
"""

from lab.vm.errors import VmError
from lab.vm.machine import Machine
from lab.vm.plan import Disk, MachinePlan

__all__ = ["Disk", "Machine", "MachinePlan", "VmError"]
