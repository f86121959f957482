# SPDX-License-Identifier: Apache-2.0
"""What the AMD secure processor measures when it launches a guest, computed from the artefacts.

Bytes in, digests out. Specification: AMD 56860 §8.17 (SNP_LAUNCH_UPDATE) and QEMU's order of pages.
An input that is not modelled (SVSM, IGVM, another VMM, another section) is refused by name.
"""
