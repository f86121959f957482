# SPDX-License-Identifier: Apache-2.0
"""What the TDX module and the guest's firmware measure of a launch, computed from the artefacts.

Bytes in, register values out. MRTD is the TDX module's (TDH.MEM.PAGE.ADD, TDH.MR.EXTEND); RTMR0 to
RTMR2 are TDVF's and the kernel's EFI stub's, each the chain of its events; RTMR3 is the guest's
own. An input that is not modelled is refused by name.
"""
