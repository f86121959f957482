# SPDX-License-Identifier: Apache-2.0
"""The page of hashes by which the firmware knows its kernel, initrd and command line.

QEMU (kernel-hashes=on, target/i386/sev.c) writes a table of GUIDs into one measured page; OVMF
(OvmfPkg/AmdSev/BlobVerifierLibSevHashes) starts nothing whose hash is not the one in it. The kernel
is hashed as the file is, without QEMU's changes to its header.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from attest.cmdline import Cmdline, check_cmdline
from attest.errors import FormatError
from attest.ovmf import PAGE_BYTES
from attest.scalars import Hex

_TABLE = UUID("9438d606-4f22-4cc9-b479-a793d411fd21").bytes_le
_CMDLINE = UUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a").bytes_le
_INITRD = UUID("44baf731-3a2f-4bd7-9af1-41e29169781d").bytes_le
_KERNEL = UUID("4de79437-abd2-427f-b835-d5b172d2045b").bytes_le
_ENTRY_BYTES = 16 + 2 + 32
_TABLE_BYTES = 16 + 2 + 3 * _ENTRY_BYTES
PADDED_BYTES = (_TABLE_BYTES + 15) // 16 * 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What is booted: SHA-256 of the kernel and of the initrd, and the command line itself."""

    kernel: Annotated[bytes, Hex(32)]
    initrd: Annotated[bytes, Hex(32)]
    cmdline: Annotated[str, Cmdline()]

    def __post_init__(self) -> None:
        check_cmdline(self.cmdline)

    @property
    def cmdline_hash(self) -> bytes:
        """SHA-256 of the command line with its final NUL."""
        return hashlib.sha256(self.cmdline.encode("utf-8") + b"\0").digest()

    def table(self) -> bytes:
        """The table as QEMU writes it, padded to a multiple of 16 bytes."""
        rows = ((_CMDLINE, self.cmdline_hash), (_INITRD, self.initrd), (_KERNEL, self.kernel))
        entries = b"".join(guid + _ENTRY_BYTES.to_bytes(2, "little") + row for guid, row in rows)
        return (_TABLE + _TABLE_BYTES.to_bytes(2, "little") + entries).ljust(PADDED_BYTES, b"\0")

    def page(self, offset: int) -> bytes:
        """The measured page with the table at ``offset`` in it.

        Raises:
            FormatError: it does not fit there.
        """
        if not 0 <= offset <= PAGE_BYTES - PADDED_BYTES:
            raise FormatError("kernel hashes", offset, "the table does not fit into its page")
        return (bytes(offset) + self.table()).ljust(PAGE_BYTES, b"\0")


def hash_boot(kernel: bytes, initrd: bytes, cmdline: str) -> Boot:
    """The hashes of what is booted; without an initrd, ``initrd`` is empty.

    Raises:
        FormatError: the command line is too long, has a NUL, or is not Unicode.
    """
    return Boot(
        kernel=hashlib.sha256(kernel).digest(),
        initrd=hashlib.sha256(initrd).digest(),
        cmdline=cmdline,
    )
