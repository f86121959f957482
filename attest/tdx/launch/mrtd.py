# SPDX-License-Identifier: Apache-2.0
"""MRTD: what the TDX module measures while the VMM builds the guest.

One SHA-384 over a record for each page that is added and, where the metadata says so, for each 256
bytes of its content. Specification: Intel TDX Module Base Architecture, "Measurement of the build
process"; TDH.MEM.PAGE.ADD and TDH.MR.EXTEND in the ABI specification.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from attest.ovmf import PAGE_BYTES
from attest.tdx.launch.tdvf import Attribute, Section

CHUNK_BYTES = 256
_NAME_BYTES = 16
_RECORD_BYTES = 128


class PageOrder(StrEnum):
    """In which order a VMM makes the two calls; the specification leaves it open."""

    BY_PAGE = "single-pass"  # each page added and extended at once: QEMU 9 and later
    BY_SECTION = "two-pass"  # a section's pages added, then extended: QEMU 8 with TDX patches


def mrtd(sections: tuple[Section, ...], order: PageOrder) -> bytes:
    """The MRTD of a guest that is built from these sections."""
    records = hashlib.sha384()
    for section in sections:
        added = b"" if Attribute.PAGE_AUG in section.attributes else b"MEM.PAGE.ADD"
        content = section.data.ljust(section.size, b"\0")
        measured = Attribute.MR_EXTEND in section.attributes
        pages = range(0, section.size, PAGE_BYTES)
        for page in pages:
            if added:
                records.update(_record(added, section.gpa + page))
            if measured and order is PageOrder.BY_PAGE:
                records.update(_page(section.gpa, content, page))
        if measured and order is PageOrder.BY_SECTION:
            for page in pages:
                records.update(_page(section.gpa, content, page))
    return records.digest()


def _page(gpa: int, content: bytes, page: int) -> bytes:
    return b"".join(
        _record(b"MR.EXTEND", gpa + at) + content[at : at + CHUNK_BYTES]
        for at in range(page, page + PAGE_BYTES, CHUNK_BYTES)
    )


def _record(name: bytes, gpa: int) -> bytes:
    return (name.ljust(_NAME_BYTES, b"\0") + gpa.to_bytes(8, "little")).ljust(_RECORD_BYTES, b"\0")
