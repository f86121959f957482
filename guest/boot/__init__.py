# SPDX-License-Identifier: Apache-2.0
"""What only PID 1 of the confidential VM does: from the kernel's start of it to `guest.init`."""
