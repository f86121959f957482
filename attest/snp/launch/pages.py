# SPDX-License-Identifier: Apache-2.0
"""The chain of page digests that is the launch digest (AMD 56860 §8.17.2, PAGE_INFO).

Each page that SNP_LAUNCH_UPDATE takes makes a PAGE_INFO of the digest so far, the page's own digest
and its place; the digest of that is the digest so far from then on. It starts as 48 zero bytes.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum

from attest.ovmf import PAGE_BYTES

DIGEST_BYTES = 48
EMPTY = bytes(DIGEST_BYTES)

# CONTENTS, LENGTH, PAGE_TYPE, IMI_PAGE, VMPL3..1_PERMS, reserved, GPA; DIGEST_CUR stands before
# them. All guests that are modelled start without initial migration image and without rights for
# lower VMPLs.
_AFTER_DIGEST = struct.Struct("<48sHB5xQ")
PAGE_INFO_BYTES = DIGEST_BYTES + _AFTER_DIGEST.size


class PageType(IntEnum):
    """PAGE_TYPE of SNP_LAUNCH_UPDATE (AMD 56860 §8.17, table of page types)."""

    NORMAL = 1
    VMSA = 2
    ZERO = 3
    UNMEASURED = 4
    SECRETS = 5
    CPUID = 6


def page_info(page_type: PageType, gpa: int, contents: bytes = EMPTY) -> bytes:
    """The PAGE_INFO of a page, without the digest that stands first in it.

    Args:
        page_type: its type.
        gpa: its guest physical address.
        contents: SHA-384 of the page, or zeros for a type whose content is not measured.
    """
    return _AFTER_DIGEST.pack(contents, PAGE_INFO_BYTES, page_type, gpa)


def extend(digest: bytes, info: bytes) -> bytes:
    """The launch digest after one page more."""
    return hashlib.sha384(digest + info).digest()


def extend_normal(digest: bytes, gpa: int, data: bytes) -> bytes:
    """The launch digest after ``data``, whole pages, was put in as NORMAL pages from ``gpa`` on."""
    for start in range(0, len(data), PAGE_BYTES):
        page = hashlib.sha384(data[start : start + PAGE_BYTES]).digest()
        digest = extend(digest, page_info(PageType.NORMAL, gpa + start, page))
    return digest


def extend_blank(digest: bytes, page_type: PageType, gpa: int, size: int) -> bytes:
    """The launch digest after pages of a type whose content is not measured."""
    for start in range(0, size, PAGE_BYTES):
        digest = extend(digest, page_info(page_type, gpa + start))
    return digest
