# SPDX-License-Identifier: Apache-2.0
"""Programs that stand in for qemu and its vsock device."""
