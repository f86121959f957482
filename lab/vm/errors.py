# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a machine of the lab; the base of its errors."""

from __future__ import annotations


class VmError(Exception):
    """A machine, or what it needs, is not as wanted; the text says what was wanted and what came.

    Attributes:
        what: the part that failed, such as "vsock" or "QMP dump-guest-memory".
        wanted: what it should have done or been.
        got: what came instead.
    """

    def __init__(self, what: str, wanted: str, got: str) -> None:
        super().__init__(f"{what}: wanted {wanted}, got {got}")
        self.what, self.wanted, self.got = what, wanted, got
